"""Owns the set of processes of one installation: start in dependency order, wait until each serves, stop, restart.

It ends only processes it started. A process that dies is told to the caller, who decides.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 60.0
ENVIRONMENT = {"GRPC_VERBOSITY": "NONE"}
"""gRPC's core writes lines of its own about every stranger it refuses; it reads this when it is loaded."""
STOP_SECONDS = 20.0
_POLL_SECONDS = 0.05


class StartFailed(Exception):  # noqa: N818 - what happened, not an error of ours
    """A process ended or did not serve in time; the message names its log."""


@dataclass(frozen=True)
class Program:
    """One process: its command, what must serve before it, how to ask whether it serves."""

    name: str
    command: tuple[str, ...]
    after: tuple[str, ...]
    serves: Callable[[], Awaitable[bool]]
    log: Path
    about: str


class Running:
    """A started process."""

    def __init__(self, program: Program, process: asyncio.subprocess.Process) -> None:
        """Take both."""
        self.program, self.process = program, process

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self.process.returncode is None


class Stack:
    """The processes of one installation."""

    def __init__(self, programs: tuple[Program, ...], folder: Path) -> None:
        """Take the programs and the folder they run in."""
        self.programs = {program.name: program for program in programs}
        self._folder = folder
        self.running: dict[str, Running] = {}

    async def start_all(self, tell: Callable[[Program, float], None] = lambda _program, _seconds: None) -> None:
        """Start everything in dependency order, together where nothing stands between; returns when all serve.

        Raises:
            StartFailed: One did not.
        """
        served = {name: asyncio.Event() for name in self.programs}

        async def one(program: Program) -> None:
            for name in program.after:
                await served[name].wait()
            begun = asyncio.get_running_loop().time()
            await self.start(program.name)
            served[program.name].set()
            tell(program, asyncio.get_running_loop().time() - begun)

        try:
            async with asyncio.TaskGroup() as group:
                for program in self.programs.values():
                    group.create_task(one(program))
        except* StartFailed as failed:
            await self.stop_all()
            raise failed.exceptions[0] from None

    async def start(self, name: str) -> None:
        """Start one and wait until it serves.

        Raises:
            StartFailed: It ended or did not serve in time.
        """
        program = self.programs[name]
        with os.fdopen(os.open(program.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb") as log:
            process = await asyncio.create_subprocess_exec(
                *program.command, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=self._folder, start_new_session=True, umask=0o077, env={**os.environ, **ENVIRONMENT},
            )  # fmt: skip
        if sys.platform == "linux":
            resource.prlimit(process.pid, resource.RLIMIT_CORE, (0, 0))  # a core holds what its process sees
        running = self.running[name] = Running(program, process)
        deadline = asyncio.get_running_loop().time() + START_SECONDS
        while not await program.serves():
            if not running.alive:
                raise StartFailed(f"{name} ended with {process.returncode}: {_last_line(program.log)}")
            if asyncio.get_running_loop().time() > deadline:
                raise StartFailed(f"{name} does not serve after {START_SECONDS:.0f} s: see {program.log}")
            await asyncio.sleep(_POLL_SECONDS)

    async def stop(self, name: str, number: int = signal.SIGTERM) -> int:
        """Stop one (``SIGKILL`` to test what is lost); returns its exit code."""
        running = self.running.pop(name)
        if running.alive:
            running.process.send_signal(number)
        try:
            return await asyncio.wait_for(running.process.wait(), STOP_SECONDS)
        except TimeoutError:
            running.process.kill()
            return await running.process.wait()

    async def stop_all(self) -> None:
        """Stop everything, those that depend on others first."""
        stopped = {name: asyncio.Event() for name in self.programs}

        async def one(name: str) -> None:
            for other, program in self.programs.items():
                if name in program.after:
                    await stopped[other].wait()
            if name in self.running:
                await self.stop(name)
            stopped[name].set()

        await asyncio.gather(*(one(name) for name in self.programs))

    async def died(self) -> Running:
        """Wait until a process ends by itself."""
        while True:
            for running in self.running.values():
                if not running.alive:
                    return running
            await asyncio.sleep(_POLL_SECONDS * 4)


def _last_line(log: Path) -> str:
    lines = log.read_text("utf-8", "replace").splitlines()
    return lines[-1][:300] if lines else f"nothing in {log}"


def python(module: str, *arguments: str) -> tuple[str, ...]:
    """Return the command of a Python module of ours."""
    return (sys.executable, "-m", module, *arguments)
