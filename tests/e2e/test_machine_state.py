"""What nodes say of themselves: kept as files, given back as they came, and only for hosts that there are."""

import tarn
from test_auth import Issuer
from test_jobs import conf


def test_what_a_node_puts_is_given_back_also_after_a_kill_and_is_its_file(tmp_path):
    kept = tmp_path / "machines"
    with tarn.Server(tmp_path, conf(tmp_path, **{"machine-state-dir": str(kept)})) as s:
        path = "/api/machine_state/fritz/f0101"
        assert s.request("GET", path).status == 404
        answer = s.request("PUT", path, b'{"load": 1}')
        assert (answer.status, answer.body) == (201, b"")
        anything = bytes(range(256)) * 4096
        assert s.request("POST", path, anything).status == 201
        assert s.request("PUT", "/api/machine_state/alex/a0121", b"").status == 201
        s.process.kill()
        s.process.wait()
    with tarn.Server(tmp_path, conf(tmp_path, **{"machine-state-dir": str(kept)})) as s:
        answer = s.request("GET", path)
        assert (answer.status, answer.body, answer.header("Content-Type")) == (200, anything, "application/json")
        answer = s.request("GET", "/api/machine_state/alex/a0121")
        assert (answer.status, answer.body) == (200, b"")
        assert s.request("DELETE", path).status == 405
    assert sorted(str(p.relative_to(kept)) for p in kept.rglob("*") if p.is_file()) == [
        "alex/a0121.json", "fritz/f0101.json"]
    assert (kept / "fritz" / "f0101.json").read_bytes() == anything


def test_no_path_leads_out_of_the_directory_and_no_host_is_made_up(tmp_path):
    kept = tmp_path / "machines"
    with tarn.Server(tmp_path, conf(tmp_path, **{"machine-state-dir": str(kept)})) as s:
        for path in ("fritz/nobody", "nowhere/f0101", "fritz/", "fritz", "", "fritz/f0101/x", "fritz/.f0101",
                     "fritz/%2e%2e%2ff0101", "..%2ffritz/f0101", "fritz/f0101%00", "fritz/" + "f" * 300):
            for method in ("PUT", "POST", "GET"):
                answer = s.request(method, f"/api/machine_state/{path}", b"x")
                assert answer.status in (307, 400), (path, method, answer.status, answer.text)
    assert not kept.exists()


def test_a_file_that_cannot_be_written_is_an_error_that_names_it(tmp_path):
    (tmp_path / "machines").write_text("no directory")
    with tarn.Server(tmp_path, conf(tmp_path, **{"machine-state-dir": str(tmp_path / "machines")})) as s:
        answer = s.request("PUT", "/api/machine_state/fritz/f0101", b"x")
        assert answer.status == 500 and str(tmp_path / "machines") in answer.text


def test_the_route_is_there_with_its_directory_alone_and_needs_the_role_api(tmp_path):
    path = "/api/machine_state/fritz/f0101"
    with tarn.Server(tmp_path, conf(tmp_path)) as s:
        assert s.request("PUT", path, b"x").status == 404
    issuer = Issuer(tmp_path)
    with tarn.Server(tmp_path, conf(tmp_path, **{"machine-state-dir": str(tmp_path / "machines"),
                                                 "jwt-public-key": issuer.public})) as s:
        def ask(method, *roles):
            return s.request(method, path, b"x", {"X-Auth-Token": issuer.token(sub="u", roles=roles)}).status

        assert s.request("PUT", path, b"x").status == 401
        for roles in (["user"], ["manager"], ["admin"], ["api", "user"], []):
            assert ask("PUT", *roles) == ask("GET", *roles) == 403
        assert (ask("PUT", "api"), ask("GET", "api"), ask("POST", "admin", "api")) == (201, 200, 201)
