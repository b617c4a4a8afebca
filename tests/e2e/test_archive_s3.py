"""tarn archive to a bucket, on a server that verifies signatures, and one that dies.

The server is moto; with $TARN_VERSITYGW it is that one (make soak, where Go is there).
"""
import contextlib
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

import pytest

import tarn

boto3 = pytest.importorskip("boto3")
np = pytest.importorskip("numpy")
pq = pytest.importorskip("pyarrow.parquet")
pytest.importorskip("moto.server")

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARN = pathlib.Path(os.environ.get("TARN", ROOT / "build/tarn"))
START = 1700006400
BEFORE = START + 10**6
POLICY = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class S3Server:
    """A server on loopback that verifies signatures, and a client of it; the bucket `metrics` is there."""

    def __init__(self):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.known = {"endpoint_url": self.url, "region_name": "us-east-1"}
        self.start()
        until = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                break
            assert time.monotonic() < until, "the S3 server does not come up"
            time.sleep(0.1)
        self.access, self.secret = self.make_key()
        self.s3 = self.client(self.secret)
        self.s3.create_bucket(Bucket="metrics")
        with pytest.raises(Exception, match="InvalidAccessKeyId|SignatureDoesNotMatch|403"):
            self.client("wrong").list_buckets()

    def client(self, secret):
        return boto3.client("s3", **self.known, aws_access_key_id=self.access, aws_secret_access_key=secret)

    def stop(self):
        self.process.kill()
        self.process.wait()


class Moto(S3Server):
    """moto with checked signatures: its first four actions need none, and make the user."""

    def start(self):
        env = {**os.environ, "INITIAL_NO_AUTH_ACTION_COUNT": "4"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)],
            env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )

    def make_key(self):
        none = {"aws_access_key_id": "none", "aws_secret_access_key": "none"}
        iam = boto3.client("iam", **self.known, **none)
        iam.create_user(UserName="tarn")
        key = iam.create_access_key(UserName="tarn")["AccessKey"]
        iam.put_user_policy(UserName="tarn", PolicyName="all", PolicyDocument=POLICY)
        return key["AccessKeyId"], key["SecretAccessKey"]


class Versity(S3Server):
    """versitygw over a directory; $TARN_VERSITYGW is the program (tools/versitygw builds it)."""

    def start(self):
        self.directory = tempfile.TemporaryDirectory()
        self.key = "tarn", os.urandom(16).hex()
        for name in "buckets", "meta":
            os.mkdir(f"{self.directory.name}/{name}")
        env = {**os.environ, "ROOT_ACCESS_KEY": self.key[0], "ROOT_SECRET_KEY": self.key[1]}
        self.process = subprocess.Popen(
            [os.environ["TARN_VERSITYGW"], "--port", f"127.0.0.1:{self.port}", "--quiet", "posix",
             "--sidecar", f"{self.directory.name}/meta", f"{self.directory.name}/buckets"],
            env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )

    def make_key(self):
        return self.key

    def stop(self):
        super().stop()
        self.directory.cleanup()


Server = Versity if os.environ.get("TARN_VERSITYGW") else Moto


@pytest.fixture(scope="module")
def server():
    s = Server()
    yield s
    s.stop()


def make_tree(tree, n_hosts=3, n_series=30, n=720):
    noise = np.random.default_rng(1)
    for h in range(n_hosts):
        out = [struct.pack("<Iqq", 0xCC5B0001, START, START + 60 * n), struct.pack("<I", n_series)]
        for m in range(n_series):
            name = f"metric{m:03d}".encode()
            out.append(struct.pack("<H", len(name)) + name + struct.pack("<qqI", 60, START, n))
            out.append(noise.random(n).astype("<f4").tobytes())
        out.append(struct.pack("<I", 0))
        path = tree / f"c=1/host{h}/{START}.bin"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"".join(out))
    return n_hosts * n_series * n


def archive(tree, url, access, secret, address="s3://metrics/a b/cluster=x", timeout=120):
    env = {**os.environ, "AWS_ACCESS_KEY_ID": access, "AWS_SECRET_ACCESS_KEY": secret}
    command = [TARN, "archive", "--checkpoints", tree, "--archive", address, "--s3-endpoint", url]
    return subprocess.run([*command, "--before", str(BEFORE)], env=env, capture_output=True, text=True, timeout=timeout)


def rows_in(server, prefix, tmp_path):
    rows = 0
    for i, item in enumerate(server.s3.list_objects_v2(Bucket="metrics", Prefix=prefix).get("Contents", [])):
        path = tmp_path / f"object{i}.parquet"
        server.s3.download_file("metrics", item["Key"], str(path))
        rows += pq.read_table(path, page_checksum_verification=True).num_rows
    return rows


def test_rows_arrive_and_sources_go(server, tmp_path):
    want = make_tree(tmp_path / "tree")
    run = archive(tmp_path / "tree", server.url, server.access, server.secret)
    assert run.returncode == 0, run.stderr
    assert rows_in(server, "a b/cluster=x/c=1/", tmp_path) == want
    assert not list((tmp_path / "tree").rglob("*.bin"))
    make_tree(tmp_path / "again", n_hosts=1)
    assert archive(tmp_path / "again", server.url, server.access, server.secret).returncode == 0
    keys = [o["Key"] for o in server.s3.list_objects_v2(Bucket="metrics", Prefix="a b/")["Contents"]]
    assert keys == [f"a b/cluster=x/c=1/{BEFORE}-2.parquet", f"a b/cluster=x/c=1/{BEFORE}.parquet"]


@pytest.mark.parametrize("keys", ["configured", "of the environment"])
def test_the_server_cleans_up_into_a_bucket(server, tmp_path, keys):
    want = make_tree(tmp_path / "tree")
    prefix = f"server/{keys}"
    s3 = {"endpoint": server.url, "access-key": server.access, "secret-key": server.secret}
    env = {}
    if keys != "configured":
        env = {"AWS_ENDPOINT_URL_S3": server.url, "AWS_ACCESS_KEY_ID": server.access, "AWS_SECRET_ACCESS_KEY": server.secret}
        s3 = {}
    conf = tarn.config(
        metric_store={"checkpoints": {"directory": str(tmp_path / "tree")},
                      "cleanup": {"mode": "archive", "directory": f"s3://metrics/{prefix}"}}, tarn={"s3": s3})
    path = tmp_path / "config.json"
    path.write_text(json.dumps(conf))
    run = tarn.run("serve", "-config", path, "-cleanup-checkpoints", env=env)
    assert run.returncode == 0, run.stderr
    assert run.stdout == "Cleanup done: 3 checkpoint files archived to parquet."
    assert server.secret not in run.stderr
    assert rows_in(server, f"{prefix}/c=1/", tmp_path) == want
    assert not list((tmp_path / "tree").rglob("*.bin"))


def test_half_a_pair_of_keys_is_refused(tmp_path):
    conf = tarn.config(tarn={"s3": {"access-key": "only"}})
    (tmp_path / "config.json").write_text(json.dumps(conf))
    run = tarn.run("serve", "-config", tmp_path / "config.json", "--check-config")
    assert run.returncode != 0 and "tarn.s3.secret-key" in run.stderr


def test_large_files_go_up_in_parts(server, tmp_path):
    want = make_tree(tmp_path / "tree", n_hosts=4, n_series=400, n=3000)
    run = archive(tmp_path / "tree", server.url, server.access, server.secret, "s3://metrics/large")
    assert run.returncode == 0, run.stderr
    (item,) = server.s3.list_objects_v2(Bucket="metrics", Prefix="large/")["Contents"]
    assert item["Size"] > 8 * 2**20 and "-" in item["ETag"]
    assert rows_in(server, "large/", tmp_path) == want


def test_a_wrong_secret_is_refused_and_nothing_is_deleted(server, tmp_path):
    make_tree(tmp_path / "tree")
    run = archive(tmp_path / "tree", server.url, server.access, "wrong", "s3://metrics/wrong")
    assert run.returncode == 1
    assert "403" in run.stderr and "wrong" not in run.stderr.replace("/wrong", "")
    assert len(list((tmp_path / "tree").rglob("*.bin"))) == 3


class Cutter:
    """Forwards to the server and breaks off after a number of bytes from the client, for good."""

    def __init__(self, port, after):
        self.to, self.left = port, after
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                if self.left <= 0:
                    client.close()
                    continue
                server = socket.create_connection(("127.0.0.1", self.to))
                threading.Thread(target=self.pump, args=(client, server, True), daemon=True).start()
                threading.Thread(target=self.pump, args=(server, client, False), daemon=True).start()

    def pump(self, a, b, counts):
        with contextlib.suppress(OSError):
            while data := a.recv(65536):
                if counts:
                    self.left -= len(data)
                    if self.left <= 0:
                        break
                b.sendall(data)
        for s in a, b:
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)

    def stop(self):
        self.listener.close()


@pytest.mark.parametrize("after", [2000, 1_000_000, 9_500_000])
def test_a_server_that_dies_at_any_byte_loses_and_doubles_nothing(server, after, tmp_path):
    n_hosts, n_series, n = (4, 400, 2000) if after > 2_000_000 else (3, 300, 720)
    want = make_tree(tmp_path / "tree", n_hosts=n_hosts, n_series=n_series, n=n)
    cutter = Cutter(server.port, after)
    address = f"s3://metrics/dies{after}"
    run = archive(tmp_path / "tree", cutter.url, server.access, server.secret, address)
    cutter.stop()
    assert run.returncode == 1
    assert len(list((tmp_path / "tree").rglob("*.bin"))) == n_hosts
    run = archive(tmp_path / "tree", server.url, server.access, server.secret, address)
    assert run.returncode == 0, run.stderr
    assert rows_in(server, f"dies{after}/", tmp_path) == want
    assert not list((tmp_path / "tree").rglob("*.bin"))


def test_a_kill_during_the_upload_is_finished_by_the_next_run(server, tmp_path):
    want = make_tree(tmp_path / "tree", n_hosts=4, n_series=400, n=3000)
    env = {**os.environ, "AWS_ACCESS_KEY_ID": server.access, "AWS_SECRET_ACCESS_KEY": server.secret}
    command = [TARN, "archive", "--checkpoints", tmp_path / "tree", "--archive", "s3://metrics/kill"]
    for wait in 0.05, 0.3, 0.5, 0.7:
        with subprocess.Popen([*command, "--s3-endpoint", server.url, "--before", str(BEFORE)], env=env) as process:
            time.sleep(wait)
            process.send_signal(signal.SIGKILL)
    run = archive(tmp_path / "tree", server.url, server.access, server.secret, "s3://metrics/kill")
    assert run.returncode == 0, run.stderr
    assert rows_in(server, "kill/", tmp_path) == want
