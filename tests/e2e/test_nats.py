"""Samples over NATS, with a real nats-server."""

import json
import random
import re
import time

import pytest

import nats_site
import tarn
from nats_site import NatsServer


nats = nats_site.needed()

GOLDEN = tarn.ROOT / "tests" / "data" / "nats"


def until(condition, deadline_s=tarn.DEADLINE_S, what="the condition"):
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"{what} does not come true"
        time.sleep(0.01)


def own(s):
    return s.metrics()


def total(s, name):
    return sum(v for k, v in own(s).items() if k.split("{")[0] == name)


def connected(s):
    return until(lambda: own(s).get("tarn_nats_connected") == 1, what="the connection")


def samples(s, cluster, host, metric="cpu_load", since=0):
    """Values by time."""
    answer = s.query({"cluster": cluster, "from": since, "to": int(time.time()) + 86400,
                      "queries": [{"metric": metric, "host": host}], "with-padding": False})
    entries = answer.json()["results"][0]
    if not entries or entries[0].get("error"):
        return {}
    e, step = entries[0], tarn.METRICS[metric]["frequency"]
    return {e["from"] + i * step: v for i, v in enumerate(e["data"]) if v is not None}


def hosts(s, cluster, metric="cpu_load"):
    answer = s.query({"cluster": cluster, "from": 0, "to": int(time.time()),
                      "for-all-nodes": [metric], "with-data": False}).json()
    return sorted(q["host"] for q in answer.get("queries") or [])


def core(server, *subjects, **more):
    return tarn.config(nats={"address": server.url, **more},
                       metric_store={"retention-in-memory": "876000h", "nats-subscriptions": [
                           {"subscribe-to": s, "cluster-tag": c} for s, c in subjects]})


# ---- core NATS ------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", ["one-worker", "two-workers"])
def test_each_subscription_has_its_own_default_cluster(tmp_path, case):
    golden = json.loads((GOLDEN / f"{case}.json").read_text())
    # With two workers the recorded server mixed the clusters up; every message must do as with one.
    wanted = json.loads((GOLDEN / "one-worker.json").read_text())["hosts_per_cluster"]
    with NatsServer(tmp_path / "nats") as server:
        conf = golden["config"]
        conf["main"]["addr"] = "127.0.0.1:0"
        conf["nats"]["address"] = server.url
        with tarn.Server(tmp_path, conf) as s:
            connected(s)
            nats_site.publish(server, golden["published"])
            heard = [p for p in golden["published"] if p[0] in ("sub-a", "sub-b")]
            until(lambda: total(s, "tarn_nats_messages_total") == len(heard))
            assert {c: hosts(s, c) for c in wanted} == {c: sorted(h) for c, h in wanted.items()}


def test_the_server_may_come_later_than_the_store(tmp_path):
    server = NatsServer(tmp_path / "nats")
    with tarn.Server(tmp_path, core(server, ("ccm.>", "c"))) as s:
        assert s.write("cpu_load,hostname=h value=1\n").status == 200
        assert own(s)["tarn_nats_connected"] == 0
        with server:
            connected(s)
            nats_site.publish(server, [("ccm.a", "cpu_load,hostname=late value=2\n")])
            until(lambda: hosts(s, "c") == ["h", "late"])


def test_after_a_restart_of_the_server_messages_come_again_soon(tmp_path):
    waits = []
    with NatsServer(tmp_path / "nats") as server:
        with tarn.Server(tmp_path, core(server, ("ccm.>", "c"))) as s:
            for k in range(5):
                connected(s)
                server.stop(hard=k % 2 == 0)
                until(lambda: own(s)["tarn_nats_connected"] == 0)
                server.start()
                began, name = time.monotonic(), f"h{k}"
                while name not in hosts(s, "c"):
                    nats_site.publish(server, [("ccm.a", f"cpu_load,hostname={name} value=1\n")])
                    assert time.monotonic() - began < tarn.DEADLINE_S
                waits.append(time.monotonic() - began)
            assert own(s)["tarn_nats_connects_total"] >= 6
    print("first message after the server's return: " + ", ".join(f"{w:.2f} s" for w in waits))


def test_a_user_and_a_password_are_used(tmp_path):
    users = "authorization { user: store, password: tarn-e2e }"
    with NatsServer(tmp_path / "nats", users) as server:
        good = core(server, ("ccm.>", "c"), username="store", password="tarn-e2e")
        with tarn.Server(tmp_path, good) as s:
            connected(s)
            nats_site.publish(server, [("ccm.a", "cpu_load,hostname=h value=1\n")],
                              user="store", password="tarn-e2e")
            until(lambda: hosts(s, "c") == ["h"])
        bad = core(server, ("ccm.>", "c"), username="store", password="not-this-one")
        with tarn.Server(tmp_path, bad) as s:
            s.wait_log(r"NATS: .*credentials are refused")
            assert own(s)["tarn_nats_connected"] == 0
            assert "not-this-one" not in s.log()
            # Somebody sets the server right: no restart of the store is needed.
            time.sleep(2.5)
            server.stop()
            server.conf.write_text(server.conf.read_text().replace("tarn-e2e", "not-this-one"))
            server.start()
            connected(s)
            nats_site.publish(server, [("ccm.a", "cpu_load,hostname=h value=1\n")],
                              user="store", password="not-this-one")
            until(lambda: hosts(s, "c") == ["h"])


def test_a_bad_line_costs_itself_and_is_counted(tmp_path):
    with NatsServer(tmp_path / "nats") as server:
        with tarn.Server(tmp_path, core(server, ("ccm.>", "c"))) as s:
            connected(s)
            nats_site.publish(server, [
                ("ccm.a", "cpu_load,hostname=a value=1\ncpu_load,hostname=b value=x\n"
                          "cpu_load,hostname=d value=1\nnobody,hostname=h value=2")])
            until(lambda: total(s, "tarn_nats_messages_total") == 1)
            assert hosts(s, "c") == ["a", "d"]
            assert total(s, "tarn_ingest_lines_refused_total") == 1
            assert own(s)['tarn_ingest_lines_skipped_total{reason="unknown_metric"}'] == 1


def test_what_waits_in_the_queue_is_stored_at_a_stop(tmp_path):
    n = 20000
    with NatsServer(tmp_path / "nats") as server:
        with tarn.Server(tmp_path, core(server, ("ccm.>", "c"))) as s:
            connected(s)
            nats_site.publish(server, [("ccm.a", f"cpu_load,hostname=h{k % 50} value={k}\n" * 20)
                                       for k in range(n)])
            until(lambda: total(s, "tarn_nats_messages_total") +
                  total(s, "tarn_nats_dropped_total") > 0)
            assert s.stop() == 0
    assert "a message of" not in s.log()


# ---- JetStream --------------------------------------------------------------------------------------


def js(server, *consumers, **more):
    return tarn.config(nats={"address": server.url},
                       metric_store={"retention-in-memory": "876000h",
                                     "checkpoints": {"directory": "./checkpoints"}, **more},
                       tarn={"jetstream": list(consumers)})


CONSUMER = {"stream": "CCM", "durable": "tarn", "cluster-tag": "c", "ack-wait": "1s"}


def test_messages_that_nobody_can_read_are_put_aside_once(tmp_path):
    good, bad = "cpu_load,hostname=g value=1\n", "cpu_load,hostname=g2 value=1\ncpu_load,hostname=g value=?\n"
    with NatsServer(tmp_path / "nats") as server:
        nats_site.add_stream(server, "CCM", ["ccm.>"])
        nats_site.js_publish(server, [("ccm.a", good), ("ccm.b", bad), ("ccm.a", good)])
        poison = tmp_path / "poison.txt"
        conf = js(server, CONSUMER)
        conf["tarn"]["nats"] = {"poison-file": str(poison), "poison-max": "1KiB"}
        with tarn.Server(tmp_path, conf) as s:
            until(lambda: total(s, "tarn_nats_messages_total") == 3)
            until(lambda: own(s)["tarn_nats_poison_total"] == 1)
            assert hosts(s, "c") == ["g", "g2"]
            assert re.search(r"^# \S+ ccm\.b: .*\n" + re.escape(bad), poison.read_text(), re.M)
            nats_site.js_publish(server, [("ccm.b", bad)] * 100)
            until(lambda: own(s)["tarn_nats_poison_total"] == 101)
            time.sleep(1.5)  # longer than ack-wait: what is not settled would come again
            n = own(s)
            assert n["tarn_nats_poison_total"] == 101 and n["tarn_nats_poison_unkept_total"] > 0
            assert poison.stat().st_size <= 1024


def test_nothing_acknowledged_is_lost_when_server_and_store_die_at_random(tmp_path):
    """Each message is one sample at a time of its own, so that one which is lost or stored elsewhere shows."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rand = random.Random(seed)
    first = int(time.time()) // 60 * 60 - 40 * 86400
    make = lambda k: (f"ccm.{k % 3}", f"cpu_load,hostname=h{k % 7} value={k} {first + k // 7 * 60}\n")  # noqa: E731
    with NatsServer(tmp_path / "nats") as server:
        nats_site.add_stream(server, "CCM", ["ccm.>"])
        publisher = nats_site.Publisher(server, make)
        publisher.start()
        s = tarn.Server(tmp_path, js(server, CONSUMER))
        s.start()
        for _ in range(6):
            time.sleep(rand.uniform(0.1, 1.0))
            what = rand.choice(["store", "store", "stop", "server", "both"])
            if what in ("server", "both"):
                server.stop(hard=True)
            if what in ("store", "both"):
                s.process.kill()
                s.process.wait()
            if what == "stop":
                assert s.stop() == 0
            time.sleep(rand.uniform(0, 0.3))
            if server.process is None:
                server.start()
            if s.process.poll() is not None:
                s.start()
        acked = publisher.end()
        assert len(acked) > 50
        wanted = {}
        for k in acked:
            wanted.setdefault(f"h{k % 7}", {})[first + k // 7 * 60] = float(k)

        def all_there():
            found = {h: samples(s, "c", h, since=first - 60) for h in wanted}
            return all(found[h].get(t) == v for h, of in wanted.items() for t, v in of.items())
        until(all_there, what="every acknowledged sample")
        # The message under way at the end may be stored without its acknowledgement having come; no other.
        n = sum(len(samples(s, "c", h, since=first - 60)) for h in (f"h{i}" for i in range(7)))
        assert len(acked) <= n <= len(acked) + 1
        assert s.stop() == 0
    print(f"{len(acked)} samples, none lost, none doubled")


def test_two_stores_share_a_stream_by_partition(tmp_path):
    mapping = 'mappings = { "ccm.*.*": "ccm.p.{{partition(8,1,2)}}.{{wildcard(1)}}.{{wildcard(2)}}" }'
    names = [f"n{k:03}" for k in range(200)]
    with NatsServer(tmp_path / "nats", mapping) as server:
        nats_site.add_stream(server, "CCM", ["ccm.p.>"])
        consumer = {**CONSUMER, "subject": "ccm.p.{partition}.>"}
        stores = []
        for i, mine in enumerate(["0-3", "4-5,6,7"]):
            (tmp_path / f"s{i}").mkdir()
            stores.append(tarn.Server(tmp_path / f"s{i}", js(server, {**consumer, "partitions": mine})))
        with stores[0] as a, stores[1] as b:
            now = int(time.time()) // 60 * 60
            nats_site.js_publish(server, [
                (f"ccm.c.{name}", f"cpu_load,hostname={name} value={k} {now - 60 * k}\n")
                for k in range(10) for name in names])
            until(lambda: total(a, "tarn_nats_acked_total") + total(b, "tarn_nats_acked_total") == 2000)
            mine, others = hosts(a, "c"), hosts(b, "c")
            assert sorted(mine + others) == names and len(mine) > 50 and len(others) > 50
            for store, of in ((a, mine), (b, others)):
                for name in of:
                    assert samples(store, "c", name, since=now - 3600) == {
                        now - 60 * k: k for k in range(10)}
            assert own(a)["tarn_nats_redelivered_total" + '{subject="ccm.p.0.>",durable="tarn-0"}'] == 0
