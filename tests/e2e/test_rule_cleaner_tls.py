"""The rule cleaner over TLS: the services see a client certificate, and only verified servers are talked to."""

import ssl
import subprocess

import pytest

from cms_site import Site
from rule_cleaner import command, environment, load


def openssl(*args):
    subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True)


@pytest.fixture
def pki(tmp_path):
    """A CA in a hashed directory, a server certificate for 127.0.0.1 and a client's."""
    d = tmp_path / "pki"
    (d / "ca").mkdir(parents=True)
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", d / "ca.key", "-out", d / "ca" / "ca.pem",
            "-subj", "/CN=test ca", "-days", "2")
    openssl("rehash", d / "ca")
    for name, extra in (("server", "subjectAltName=IP:127.0.0.1"), ("client", "extendedKeyUsage=clientAuth")):
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", d / f"{name}.key", "-out", d / f"{name}.csr",
                "-subj", f"/CN={name}")
        (d / f"{name}.ext").write_text(extra + "\n")
        openssl("x509", "-req", "-in", d / f"{name}.csr", "-CA", d / "ca" / "ca.pem", "-CAkey", d / "ca.key",
                "-CAcreateserial", "-out", d / f"{name}.pem", "-days", "2", "-extfile", d / f"{name}.ext")
        (d / f"{name}.key").chmod(0o400)
    return d


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
