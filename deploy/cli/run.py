"""Owns `valv run`: prepares a development installation, starts it, says how to begin, and stops it cleanly."""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from deploy.cli.layout import REPOSITORY, Layout, Ports
from deploy.cli.prepare import prepare
from deploy.cli.programs import programs
from deploy.cli.stack import Program, Running, Stack, StartFailed

RESTARTS = 5
RESTART_WINDOW_SECONDS = 60.0


def main(arguments: list[str]) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="valv run", description="Serve the whole of Valv on this machine.")
    parser.add_argument("--state", type=Path, default=REPOSITORY / "var", help="folder that state is kept in")
    parser.add_argument("--first-port", type=int, help="use ports from here on instead of the usual ones")
    flags = parser.parse_args(arguments)
    ports = Ports() if flags.first_port is None else Ports.of(list(range(flags.first_port, flags.first_port + 11)))
    layout = Layout(flags.state.resolve(), ports)
    layout.make()
    with _alone(layout) as alone:
        if not alone:
            _say(f"Valv already runs with its state in {layout.state}.")
            return 1
        taken = layout.ports.taken()
        if taken:
            _say(
                f"Another program listens on port {', '.join(map(str, taken))}. Stop it, or choose: --first-port 20000"
            )
            return 1
        return asyncio.run(_run(layout))


async def _run(layout: Layout) -> int:
    begun = time.monotonic()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    _say("preparing: certificates, keys, configurations, databases")
    await asyncio.to_thread(prepare, layout)
    stack = Stack(programs(layout), REPOSITORY)
    starting = asyncio.create_task(stack.start_all(_started))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            return 0
        starting.result()
        _welcome(layout, time.monotonic() - begun)
        return await _watch(stack, stopping)
    except StartFailed as failed:
        _say(str(failed))
        return 1
    finally:
        stopping.cancel()
        _say("stopping")
        await stack.stop_all()
        _say("stopped; the state is kept in " + str(layout.state))


async def _watch(stack: Stack, stopping: asyncio.Task[bool]) -> int:
    """Start again what ends by itself, a few times a minute; then give up."""
    ended: list[float] = []
    while True:
        died = asyncio.create_task(stack.died())
        await asyncio.wait({died, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if stopping.done():
            died.cancel()
            return 0
        running: Running = died.result()
        now = time.monotonic()
        ended = [*(moment for moment in ended if now - moment < RESTART_WINDOW_SECONDS), now]
        _say(f"{running.program.name} ended with {running.process.returncode}; its log is {running.program.log}")
        if len(ended) > RESTARTS:
            return 1
        await stack.start(running.program.name)
        _say(f"{running.program.name} serves again")


@contextmanager
def _alone(layout: Layout) -> Iterator[bool]:
    with os.fdopen(os.open(layout.state / "lock", os.O_RDWR | os.O_CREAT, 0o600), "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _started(program: Program, seconds: float) -> None:
    _say(f"  serves after {seconds:4.1f} s   {program.about}")


def _welcome(layout: Layout, seconds: float) -> None:
    ports = layout.ports
    authority = layout.certificates / "browser" / "ca.pem"
    _say(f"""
Valv serves after {seconds:.1f} s.

  Begin here        {layout.address}
  Security page     {layout.address}/security
  Mails arrive at   http://127.0.0.1:{ports.mail}
  A small shop      https://localhost:{ports.shop}
  Test card         4242 4242 4242 4242, any later month, any three digits

  The certificate is signed by a development authority that may only name localhost.
  Let your browser trust it, or accept its warning once:   {authority}
  With curl:        curl --cacert {_short(authority)} {layout.address}/v1/practices

  Sign up, open the mail, confirm, sign in. Ctrl-C stops everything.
""")


def _short(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _say(text: str) -> None:
    with suppress(OSError):  # nobody listens any more; what is started must still be stopped
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
