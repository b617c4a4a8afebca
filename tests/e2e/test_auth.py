"""Tokens, roles and TLS."""

import base64
import json
import ssl
import subprocess
import time

import pytest

import tarn


def openssl(*args, stdin=None):
    return subprocess.run(["openssl", *args], input=stdin, capture_output=True, check=True).stdout


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Issuer:
    """Signs tokens with a key of its own."""

    def __init__(self, directory):
        self.key = directory / "issuer.pem"
        self.scratch = directory / "to-sign"
        openssl("genpkey", "-algorithm", "ed25519", "-out", str(self.key))
        der = openssl("pkey", "-in", str(self.key), "-pubout", "-outform", "DER")
        self.public = base64.b64encode(der[-32:]).decode()

    def token(self, **claims):
        text = b64(b'{"alg":"EdDSA","typ":"JWT"}') + "." + b64(json.dumps(claims).encode())
        self.scratch.write_text(text)
        signature = openssl("pkeyutl", "-sign", "-rawin", "-inkey", str(self.key), "-in",
                            str(self.scratch))
        return f"{text}.{b64(signature)}"


@pytest.fixture
def issuer(tmp_path):
    return Issuer(tmp_path)


def test_a_token_opens_what_no_token_does_not(tmp_path, issuer):
    conf = tarn.config(main={"jwt-public-key": issuer.public}, tarn={"require-auth": True})
    line = "cpu_load,hostname=h value=1\n"
    with tarn.Server(tmp_path, conf) as s:
        assert s.write(line).status == 401
        assert s.write(line, token="x.y.z").status == 401
        now = int(time.time())
        assert s.write(line, token=issuer.token(sub="a")).status == 200
        assert s.write(line, token=issuer.token(exp=now + 60, nbf=now - 60)).status == 200
        assert s.write(line, token=issuer.token(exp=now - 1)).status == 401
        assert s.write(line, token=issuer.token(nbf=now + 60)).status == 401
        assert s.request("GET", "/healthz").status == 200
        assert "EVERYBODY" not in s.log()


def test_a_token_ends_while_it_is_remembered(tmp_path, issuer):
    conf = tarn.config(main={"jwt-public-key": issuer.public})
    with tarn.Server(tmp_path, conf) as s:
        end = int(time.time()) + 2
        token = issuer.token(exp=end)
        assert s.write("", token=token).status == 200
        while time.time() < end + 0.1:
            time.sleep(0.05)
        assert s.write("", token=token).status == 401


def test_roles_decide_who_may_do_what(tmp_path, issuer):
    conf = tarn.config(main={"jwt-public-key": issuer.public}, tarn={
        "roles": {"read": ["user", "api", "admin"], "write": ["api"], "admin": ["admin"]}})
    with tarn.Server(tmp_path, conf) as s:
        def statuses(*roles):
            t = issuer.token(roles=list(roles))
            h = {"Authorization": f"Bearer {t}"}
            return (s.query({"cluster": "c"}, token=t).status, s.write("", token=t).status,
                    s.request("POST", "/api/free?to=0", b"[]", h).status,
                    s.request("GET", "/api/debug", None, h).status)

        assert statuses("user") == (200, 403, 403, 403)
        assert statuses("ROLE_API") == (200, 200, 403, 403)
        assert statuses("admin") == (200, 403, 200, 200)
        assert statuses() == (403, 403, 403, 403)


def test_without_roles_in_the_configuration_any_token_may_do_anything(tmp_path, issuer):
    with tarn.Server(tmp_path, tarn.config(main={"jwt-public-key": issuer.public})) as s:
        token = issuer.token()
        headers = {"Authorization": f"Bearer {token}"}
        assert s.request("POST", "/api/free?to=0", b"[[]]", headers).status == 200


def certificate(directory, name):
    cert, key = directory / f"{name}.pem", directory / f"{name}.key"
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1",
            "-keyout", str(key), "-out", str(cert))
    return cert, key


def test_https_serves_the_certificate_of_the_configuration_and_reloads_it(tmp_path):
    cert, key = certificate(tmp_path, "first")
    conf = tarn.config(main={"https-cert-file": str(cert), "https-key-file": str(key)})
    trust = ssl.create_default_context(cafile=str(cert))
    with tarn.Server(tmp_path, conf, tls=trust) as s:
        assert s.write("cpu_load,hostname=h value=1\n").status == 200
        assert "HTTPS server listening" in s.log()
        r = tarn.run("query", "--url", f"https://127.0.0.1:{s.port}", "--ca-file", cert,
                     "--cluster", "c", "--host", "h", "--metric", "cpu_load")
        assert r.returncode == 0, r.stderr
        assert "cpu_load" in r.stdout
        r = tarn.run("query", "--url", f"https://127.0.0.1:{s.port}", "--cluster", "c",
                     "--host", "h", "--metric", "cpu_load")
        assert r.returncode == 1 and "certificate" in r.stderr
        second, second_key = certificate(tmp_path, "second")
        cert.write_bytes(second.read_bytes())
        key.write_bytes(second_key.read_bytes())
        s.process.send_signal(1)
        s.wait_log("reload: done")
        s.tls = ssl.create_default_context(cafile=str(second))
        assert s.write("cpu_load,hostname=h value=1\n").status == 200


def test_old_tls_is_refused(tmp_path):
    cert, key = certificate(tmp_path, "first")
    conf = tarn.config(main={"https-cert-file": str(cert), "https-key-file": str(key)})
    with tarn.Server(tmp_path, conf, tls=tarn.insecure_tls()) as s:
        old = tarn.insecure_tls()
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
        old.set_ciphers("ALL:@SECLEVEL=0")
        s.tls = old
        with pytest.raises(OSError):
            s.write("x")
        s.tls = tarn.insecure_tls()
        assert s.write("").status == 200


def test_tarn_query_sends_the_token_of_a_file(tmp_path, issuer):
    path = tmp_path / "token"
    path.write_text(issuer.token() + "\n")
    with tarn.Server(tmp_path, tarn.config(main={"jwt-public-key": issuer.public})) as s:
        args = ["query", "--url", f"http://127.0.0.1:{s.port}", "--cluster", "c", "--host", "h",
                "--metric", "cpu_load"]
        r = tarn.run(*args)
        assert r.returncode == 1 and "401" in r.stderr
        r = tarn.run(*args, "--token", path)
        assert r.returncode == 0
        assert issuer.token() not in r.stderr
