import subprocess

import pytest

import tarn


def pytest_sessionstart(session):
    if not tarn.BINARY.exists():
        pytest.exit(f"{tarn.BINARY} is missing: run make first", returncode=2)


@pytest.fixture
def server(tmp_path):
    """A server with three metrics, no authentication, on a free port."""
    with tarn.Server(tmp_path, tarn.config()) as s:
        yield s


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
