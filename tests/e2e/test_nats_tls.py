"""NATS over TLS, with a client certificate, from the one of several servers that is there."""

import ssl
import time

import nats_site
import tarn
from nats_site import NatsServer, free_port

nats = nats_site.needed()


def until(condition):
    end = time.monotonic() + tarn.DEADLINE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def config(server, **tls):
    """Nobody listens at the first address."""
    address = f"tls://127.0.0.1:{free_port()},tls://127.0.0.1:{server.port}"
    return tarn.config(nats={"address": address}, tarn={"nats": tls},
                       metric_store={"nats-subscriptions": [{"subscribe-to": "ccm.>", "cluster-tag": "c"}]})


def test_a_verified_server_is_talked_to_with_a_client_certificate_and_no_other(tmp_path, pki):
    ca = pki / "ca" / "ca.pem"
    more = (f'tls {{ cert_file: "{pki}/server.pem", key_file: "{pki}/server.key", ca_file: "{ca}", '
            "verify: true, timeout: 10 }")
    client = ssl.create_default_context(cafile=ca)
    client.load_cert_chain(pki / "client.pem", pki / "client.key")
    with NatsServer(tmp_path / "nats", more) as server:
        good = config(server, **{"ca-file": str(ca), "cert-file": str(pki / "client.pem"),
                                 "key-file": str(pki / "client.key")})
        with tarn.Server(tmp_path, good) as s:
            until(lambda: s.metrics()["tarn_nats_connected"] == 1)
            nats_site.publish(server, [("ccm.a", "cpu_load,hostname=h value=1\n")], tls=client)
            until(lambda: s.metrics()["tarn_hosts"] == 1)
        for missing in ({}, {"ca-file": str(ca)}):  # nobody vouches for the server; no certificate of ours
            with tarn.Server(tmp_path, config(server, **missing)) as s:
                end = time.monotonic() + 2  # the good one takes some milliseconds
                while time.monotonic() < end:
                    assert s.metrics()["tarn_nats_connected"] == 0
                    time.sleep(0.1)
