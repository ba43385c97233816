"""A scheduler that asks for certificates lets in who has one, and nobody else."""

import contextlib
import importlib.util
import os
import shutil
import socket
import subprocess
import sys

import pytest

CONNECT = """
import sys
from deeplab.runs import cluster
cluster.CONNECT_SECONDS = 5
try:
    with cluster._client(sys.argv[1]) as client:
        print(client.submit(sum, [1, 2]).status)
except cluster.UsageError as error:
    print(error.code)
"""


@pytest.fixture
def certificates(tmp_path):
    """Variables that name a certificate of this test's own to Dask."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                    "-subj", "/CN=127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"],
                   cwd=tmp_path, check=True, capture_output=True)
    tls = "DASK_DISTRIBUTED__COMM__TLS__"
    return {"DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "True",
            f"{tls}CA_FILE": str(tmp_path / "cert.pem"),
            **{f"{tls}{part}__{kind.upper()}": str(tmp_path / f"{kind}.pem")
               for part in ("SCHEDULER", "WORKER", "CLIENT") for kind in ("cert", "key")}}


@contextlib.contextmanager
def scheduler(environment):
    """The address of a scheduler on this machine that speaks TLS."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with subprocess.Popen(
            [sys.executable, "-m", "distributed.cli.dask_scheduler", "--protocol", "tls",
             "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"],
            env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield f"tls://127.0.0.1:{port}"
        finally:
            process.kill()


@pytest.mark.skipif(importlib.util.find_spec("distributed") is None or not shutil.which("openssl"),
                    reason="needs the optional extra [cluster], and openssl for certificates")
def test_only_who_has_a_certificate_may_give_work(certificates):
    def answer(address, **more):
        result = subprocess.run([sys.executable, "-c", CONNECT, address], capture_output=True,
                                text=True, timeout=60, env=os.environ | more)
        assert result.returncode == 0, result.stderr
        return result.stdout.strip()

    with scheduler(os.environ | certificates) as address:
        assert answer(address, **certificates) == "pending"  # there are no workers
        assert answer(address) == "E-CLUSTER"
