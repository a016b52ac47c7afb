"""A service outlives a crowd at its door: gRPC frees the TLS keys that an answer replaces while others use them."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.pki import Pki

SERVER = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import grpc
from tests.support.pki import Pki
server = grpc.server(ThreadPoolExecutor(1))
port = server.add_secure_port("127.0.0.1:0", Pki(Path(sys.argv[1])).material("auth").server_credentials())
server.start()
print(port, flush=True)
sys.stdin.read()
"""
ROOT = Path(__file__).parents[3]
AT_ONCE, EACH = 8, 400
"""With an answer at every handshake the server died within 75 to 1,843 of them."""


@contextmanager
def serving(folder: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A gRPC server in a process of its own, and its port."""
    command = [sys.executable, "-c", SERVER, str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


@pytest.mark.clause("P3")
def test_a_crowd_that_shakes_hands_at_once_does_not_end_a_service(tmp_path: Path) -> None:
    pki = Pki(tmp_path)
    pki.issue(["auth", "files"])
    context = pki.client_context("files")
    context.check_hostname = False
    with serving(tmp_path) as (process, port), ThreadPoolExecutor(AT_ONCE) as callers:

        def shake() -> int:
            for _ in range(EACH):
                with socket.create_connection(("127.0.0.1", port), 10) as plain, context.wrap_socket(plain):
                    pass
            return EACH

        shaken = [callers.submit(shake) for _ in range(AT_ONCE)]
        assert sum(one.result() for one in shaken) == AT_ONCE * EACH
        assert process.poll() is None
