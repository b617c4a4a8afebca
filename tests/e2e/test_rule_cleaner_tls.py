"""The rule cleaner over TLS: the services see a client certificate, and only verified servers are talked to."""

import ssl
import subprocess

from cms_site import Site
from rule_cleaner import command, environment, load


def over_tls(site, pki):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki / "server.pem", pki / "server.key")
    context.load_verify_locations(pki / "ca" / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    site.server.socket = context.wrap_socket(site.server.socket, server_side=True)
    site.base = site.base.replace("http://", "https://")


def listed(tmp_path, site, **tls):
    words = command(tmp_path, site, "list", "--status", "rejected", **({"tls": tls} if tls else {}))
    return subprocess.run(words, capture_output=True, text=True, timeout=60, env=environment())


def test_a_client_certificate_opens_the_services_and_an_unknown_server_is_refused(tmp_path, pki):
    world = load("main", "world.json")
    with Site(world) as site:
        plain = listed(tmp_path, site)
        over_tls(site, pki)
        good = listed(tmp_path, site, cert=str(pki / "client.pem"), key=str(pki / "client.key"),
                      caPath=str(pki / "ca"))
        assert good.returncode == 0, good.stderr
        assert good.stdout == plain.stdout and good.stdout
        (tmp_path / "empty").mkdir()
        unknown = listed(tmp_path, site, cert=str(pki / "client.pem"), key=str(pki / "client.key"),
                         caPath=str(tmp_path / "empty"))
        assert unknown.returncode != 0 and not unknown.stdout
        (pki / "client.key").chmod(0o644)
        readable = listed(tmp_path, site, cert=str(pki / "client.pem"), key=str(pki / "client.key"),
                          caPath=str(pki / "ca"))
        assert readable.returncode == 2, "a key that others can read is refused"
