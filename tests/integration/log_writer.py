"""The log's writer as a process that can be killed and whose system calls can be made to fail.

The real appender, sequencer, directory of tiles and SQLite stores, nothing else. Everything is imported once; each run
is a fork of its own that waits for a word before it begins. Speaks lines of JSON on standard input and output:

    {"folder": ..., "warm": true} -> {"pid": ...};   {} -> it runs; ended, {"status": ..., "told": [...]}

A warm run waits when it has opened everything and done a first round, a cold one before that. What a run tells:
{"acked": n, "events": ids}, the highest number that was acknowledged and the last events up to it; {"signed": note},
what others may have seen from then on. It ends with COLD when the log could not be opened.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
import sys
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from services.audit import sequencer
from services.audit.store import SignedHead
from services.kit.event import Event
from tests.unit.audit.world import World, make_world

BATCHES = (3, 260, 80)
TRIES = 40
COLD, STUCK = 3, 4
Tell = Callable[[dict[str, object]], None]


def main() -> int:
    """Forks a writer for each folder that is named."""
    for line in sys.stdin:
        run = _Run(**json.loads(line))
        _say({"pid": run.pid})
        sys.stdin.readline()
        _say(run.end())
    return 0


class _Run:
    """A forked writer."""

    def __init__(self, folder: str, *, warm: bool) -> None:
        self._told, channel = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        begun, self._begin = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            self._told.close()
            _child(Path(folder), begun, channel, warm=warm)
        channel.close()
        os.close(begun)
        self._heard: list[dict[str, object]] = []
        while warm and (data := self._told.recv(1 << 16)) and "ready" not in (told := json.loads(data)):
            self._heard.append(told)

    def end(self) -> dict[str, object]:
        """Let it run to its end."""
        os.write(self._begin, b"!")
        os.close(self._begin)
        while data := self._told.recv(1 << 16):
            self._heard.append(json.loads(data))
        self._told.close()
        return {"status": os.waitpid(self.pid, 0)[1], "told": self._heard}


def _say(line: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def _child(folder: Path, begun: int, channel: socket.socket, *, warm: bool) -> None:
    code = 1
    try:
        asyncio.run(write(folder, begun, lambda told: _send(channel, told), warm=warm))
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        if code == 1:
            traceback.print_exc()
        os._exit(code)


def _send(channel: socket.socket, told: dict[str, object]) -> None:
    channel.send(json.dumps(told).encode())


async def write(folder: Path, begun: int, tell: Tell, *, warm: bool) -> None:
    """Append and sign until everything is under a checkpoint, whatever fails on the way."""
    sequencer.INTERVAL_SECONDS = sequencer.RETRY_SECONDS = sequencer.IDLE_SECONDS = 0.01
    sequencer.HALT_SECONDS = 0.05
    if not warm:
        os.read(begun, 1)
    async with _opened(folder) as world:
        _listen(world, tell)
        signing = asyncio.create_task(world.sequencer.run())
        if warm:
            await _append(world, [world.event()], tell)
            await _covered(world, 1)
            tell({"ready": True})
            os.read(begun, 1)
        for count in BATCHES:
            await _append(world, [world.event() for _ in range(count)], tell)
            await asyncio.sleep(0.02)
        await _covered(world, sum(BATCHES) + warm)
        signing.cancel()
        await asyncio.gather(signing, return_exceptions=True)  # giving up the lease may fail too: it runs out


async def _covered(world: World, size: int) -> None:
    async with asyncio.timeout(20):
        while True:
            with suppress(SQLAlchemyError):  # a look may fail too
                if (await world.signed()).size >= size:
                    return
            await asyncio.sleep(0.01)


@asynccontextmanager
async def _opened(folder: Path) -> AsyncIterator[World]:
    """The log in the folder, for whoever starts a service: when it cannot be opened, the process ends."""
    async with AsyncExitStack() as stack:
        try:
            world = await stack.enter_async_context(make_world(folder))
        except Exception:  # noqa: BLE001 - whatever a store raises
            raise SystemExit(COLD) from None
        world.clock.advance(3600)  # whoever held the lease is dead
        yield world


def _listen(world: World, tell: Tell) -> None:
    """Tell of every note that others may see from now on."""
    swap, publish = world.checkpoints.swap, world.tiles.publish

    async def swapped(expected: bytes | None, head: SignedHead) -> None:
        await swap(expected, head)
        tell({"signed": base64.b64encode(head.note).decode()})

    async def published(note: bytes) -> None:
        tell({"signed": base64.b64encode(note).decode()})
        await publish(note)

    world.checkpoints.swap, world.tiles.publish = swapped, published  # type: ignore[method-assign]  # an ear, not another way


async def _append(world: World, events: list[Event], tell: Tell) -> None:
    """Send as a relay does: from the highest number that the log says it holds, until all are acknowledged."""
    wanted = -1
    for _ in range(TRIES):
        with suppress(Exception):
            head = await world.appender.head("files")
            highest = head.highest if head is not None else 0
            if head is not None:
                world.epochs["files"] = head.epoch
            wanted = highest + len(events) if wanted < 0 else wanted
            rest = events[len(events) - (wanted - highest) :] if wanted > highest else []
            if rest:
                highest = await world.appender.append(world.place("files", highest + 1), rest)
            tell({"acked": highest, "events": [event.id for event in events]})
            return
        await asyncio.sleep(0.02)
    raise SystemExit(STUCK)


if __name__ == "__main__":
    raise SystemExit(main())
