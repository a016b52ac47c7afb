"""Owns how a third party runs: as a process with a folder, a certificate and a note of every request it was sent.

The note (``requests``) holds a line per request, method and path, never a header or a body. While there is a file
``stalled`` in its folder, it takes requests and does not answer them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from cheroot.ssl.builtin import BuiltinSSLAdapter
from cheroot.wsgi import Server

from deploy.cli import certs
from services.kit.clock import SystemClock
from tests.support.servers import free_ports

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
STALL_SECONDS = 60.0


@dataclass
class ThirdParty:
    """One, as tests see it."""

    folder: Path
    port: int
    ca_file: Path
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"https://localhost:{self.port}"

    def requests(self, beginning: str = "") -> list[str]:
        """Return what it was asked, as "METHOD path"."""
        path = self.folder / "requests"
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        return [line for line in lines if line.startswith(beginning)]

    def client(self) -> httpx.Client:
        """Return a client that trusts it."""
        return httpx.Client(base_url=self.url, verify=certs_context(self.ca_file), trust_env=False, timeout=20)

    @contextmanager
    def stalled(self) -> Iterator[None]:
        """Have it answer nothing."""
        (self.folder / "stalled").touch()
        try:
            yield
        finally:
            (self.folder / "stalled").unlink()

    def stop(self) -> None:
        """End it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def start(self, module: str, *arguments: str) -> None:
        """Start it and wait until it answers."""
        command = [sys.executable, "-m", module, str(self.folder), str(self.port), *arguments]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stderr=log, stdout=log)
        with self.client() as client:
            for _ in range(300):
                assert self.process.poll() is None, (self.folder / "log").read_text("utf-8")
                try:
                    client.get("/alive")
                    return
                except httpx.ConnectError:
                    time.sleep(0.1)
        raise AssertionError("it does not answer")


def certs_context(ca_file: Path) -> Any:
    """Return a context that trusts only this authority."""
    import ssl  # noqa: PLC0415 - only the side of the tests

    return ssl.create_default_context(cafile=str(ca_file))


def made(folder: Path) -> ThirdParty:
    """Return a third party with a certificate from an authority of its own; it does not run yet."""
    folder.mkdir(parents=True)
    certs.issue(folder / "certs", [], SystemClock().now(), fronts=("party",))
    (port,) = free_ports(1)
    return ThirdParty(folder, port, folder / "certs" / "browser" / "ca.pem")


def serve(build: Callable[[argparse.Namespace], Wsgi]) -> None:
    """Serve an application for ever, as a process of its own: ``folder port [options]``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("options", nargs="*")
    arguments = parser.parse_args()
    server = Server(("127.0.0.1", arguments.port), _noting(arguments.folder, build(arguments)), numthreads=4)
    stem = arguments.folder / "certs" / "browser" / "party"
    server.ssl_adapter = BuiltinSSLAdapter(str(stem.with_suffix(".pem")), str(stem.with_suffix(".key")))
    server.start()


def _noting(folder: Path, application: Wsgi) -> Wsgi:
    def noting(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/alive":
            start("204 No Content", [])
            return []
        with (folder / "requests").open("a") as notes:
            notes.write(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}\n")
        ends = time.monotonic() + STALL_SECONDS
        while (folder / "stalled").exists() and time.monotonic() < ends:
            time.sleep(0.05)
        return application(environ, start)

    return noting
