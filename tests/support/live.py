"""The whole of Valv, started for tests from its own command line's parts, on free ports with a state of its own."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import ssl
import threading
from collections.abc import Coroutine
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx

from deploy.cli.layout import REPOSITORY, Layout, Ports
from deploy.cli.prepare import prepare
from deploy.cli.programs import programs
from deploy.cli.stack import Stack, python
from tests.support.limits import lift

T = TypeVar("T")
_COMPLAINT = re.compile(r'"level": "(?!INFO|DEBUG)|"status":5|^(?!\{)')
"""A line of a log above INFO, one of Envoy's about a failed call, or one that no logger wrote."""
ERASURE_GRACE = 6
"""For how many seconds an erasure can be taken back here."""


class Live:
    """A running installation; its processes are started, killed and restarted from ordinary test code."""

    def __init__(self, state: Path, log_level: str = "INFO") -> None:
        """Prepare an installation in the folder; nothing runs yet."""
        ports = Ports.of(free_ports(len(Ports.__dataclass_fields__)))
        self.layout = Layout(state, ports, credential_calls=1000, erasure_grace=ERASURE_GRACE, log_level=log_level)
        self.layout.make()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        prepare(self.layout)
        lift(self.layout.configs / "auth.toml")
        self.trust = ssl.create_default_context(cafile=str(self.layout.certificates / "browser" / "ca.pem"))
        self._clients: list[httpx.Client] = []
        self.stack = Stack(programs(self.layout), REPOSITORY)
        self._on_time = dict(self.stack.programs)

    @property
    def address(self) -> str:
        """Where the edge answers."""
        return self.layout.address

    def client(self, address: str | None = None, **options: Any) -> httpx.Client:
        """Return an HTTP client that trusts the development CA of browsers and nothing else; closed with the rest."""
        made = httpx.Client(base_url=address or self.address, verify=self.trust, timeout=30, **options)
        self._clients.append(made)
        return made

    def start(self) -> None:
        """Start everything."""
        self._run(self.stack.start_all())

    def start_one(self, name: str) -> None:
        """Start one process."""
        self._run(self.stack.start(name))

    def move_clock(self, name: str, by: timedelta) -> None:
        """Let one process, from its next start on, believe that it is so much later."""
        program = self._on_time[name]
        _, _, module, *arguments = program.command
        command = python("tests.support.moved", str(by.total_seconds()), module, *arguments)
        self.stack.programs[name] = replace(program, command=command) if by else program

    def kill(self, name: str) -> None:
        """SIGKILL one process."""
        self._run(self.stack.stop(name, signal.SIGKILL))

    def crash(self, name: str) -> None:
        """SIGABRT one process: it dies as by a fault of its own, and would leave a core."""
        self._run(self.stack.stop(name, signal.SIGABRT))

    def pause(self, name: str) -> None:
        """SIGSTOP one process: its connections stay open and it says nothing."""
        os.kill(self.pids()[name], signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """SIGCONT one process."""
        os.kill(self.pids()[name], signal.SIGCONT)

    def pids(self) -> dict[str, int]:
        """Return the id of each process that runs."""
        return {name: running.process.pid for name, running in self.stack.running.items() if running.alive}

    def terminate(self, name: str) -> int:
        """SIGTERM one process; returns its exit code."""
        return self._run(self.stack.stop(name))

    def close(self) -> None:
        """Stop everything."""
        for client in self._clients:
            client.close()
        self._run(self.stack.stop_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def log(self, name: str) -> str:
        """Return what a process has logged."""
        return (self.layout.logs / f"{name}.log").read_text("utf-8", "replace")

    def complaints(self, lines: int) -> list[str]:
        """Return the last lines in which each process complained of something."""
        found = []
        for file in sorted(self.layout.logs.glob("*.log")):
            said = file.read_text("utf-8", "replace").splitlines()
            found += [line for line in said if _COMPLAINT.search(line)][-lines:]
        return found

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(120)


def free_ports(count: int) -> list[int]:
    """Return that many free loopback ports."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
