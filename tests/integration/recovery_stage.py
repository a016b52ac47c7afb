"""A running log whose database is set back under producers with real outboxes and relays, which go on writing.

Run by itself it measures: ``python -m tests.integration.recovery_stage FOLDER RECORDS``.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.cli.verify import main as verify
from services.audit.signing import load_signer
from services.kit.checks import SOON_SECONDS
from services.kit.clients import Channels, PeersConfig
from services.kit.outbox import Outbox
from services.kit.relay import Relay
from services.kit.shipping import AuditSender
from services.kit.telemetry import Log
from tests.integration.audit_stage import CLOCK, IDS, Stage, event, stage
from tests.support.stores import make_outbox
from tests.unit.audit.world import ORIGIN

ROLES = ("auth", "files", "billing")
PATIENCE_SECONDS = 900
OWN = "SELECT idx FROM entries JOIN epochs ON epochs.id = epoch_id WHERE producer = 'audit'"
_AT_ONCE = 500
_PEOPLE = 200


@dataclass(frozen=True)
class Recovered:
    """What a recovery was."""

    lost: int
    """Entries that the set back database did not hold."""
    filled_seconds: float
    """How long it had taken to write, send and sign these."""
    seconds: float
    """How long it took to regain them, from when the log served."""
    peak_mib: int
    written_meanwhile: int
    missing: int
    moved: int
    """Entries that are not at the index at which they were signed."""
    twice: int
    """Entries of the tree that are nobody's record: those of an event that has another one, too."""
    without_record: int
    """Entries of other producers than the log itself, whose own outbox goes back with its database."""
    sound: bool
    """Whether the tiles are the signed tree, to a verifier."""


class Producer:
    """A service's outbox and its relay."""

    def __init__(self, outbox: Outbox, relay: Relay) -> None:
        self.outbox = outbox
        self.work = asyncio.create_task(relay.run())
        self.events: list[str] = []

    async def write(self, count: int, people: list[str]) -> None:
        """Record so many events."""
        for start in range(0, count, _AT_ONCE):
            made = [event(people[(start + number) % len(people)]) for number in range(min(_AT_ONCE, count - start))]
            async with self.outbox.database.write() as connection:
                for each in made:
                    await self.outbox.add(connection, each)
            self.events += [each.event_id for each in made]

    async def stop(self) -> None:
        self.work.cancel()
        with suppress(asyncio.CancelledError):
            await self.work


@asynccontextmanager
async def producers(served: Stage) -> AsyncIterator[list[Producer]]:
    """Open outboxes and relays that send to the log."""
    made = list[Producer]()
    async with AsyncExitStack() as stack:
        for role in ROLES:
            (folder := served.folder / role).mkdir()
            outbox = await make_outbox(folder, CLOCK)
            stack.push_async_callback(outbox.database.close)
            channels = Channels(served.pki.material(role), PeersConfig(audit=f"127.0.0.1:{served.port}"), CLOCK)
            stack.push_async_callback(channels.close)
            made.append(Producer(outbox, Relay(outbox, AuditSender(channels), CLOCK, IDS, Log(role))))
            stack.push_async_callback(made[-1].stop)
        yield made


def rows(served: Stage, query: str, database: str = "audit") -> list[tuple[Any, ...]]:
    """Ask a database of the log."""
    with closing(sqlite3.connect(f"file:{served.folder / database}.db?mode=ro", uri=True, timeout=30)) as opened:
        return opened.execute(query).fetchall()


def size(served: Stage) -> int:
    """How many entries are signed."""
    ((note,),) = rows(served, "SELECT note FROM checkpoint", "checkpoint")
    return int(bytes(note).split(b"\n")[1])


async def until(condition: Callable[[], bool]) -> None:
    """Wait until it holds."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            if condition():
                return
            await asyncio.sleep(0.2)


async def signed(served: Stage, made: list[Producer]) -> None:
    """Wait until all that was written is in the log and signed."""
    written = sum(len(producer.events) for producer in made)
    mine = "SELECT count(*) FROM entries JOIN epochs ON epochs.id = epoch_id WHERE producer <> 'audit'"
    await until(lambda: rows(served, mine)[0][0] >= written)
    await until(lambda: size(served) >= rows(served, "SELECT size FROM log_state")[0][0])


async def quiet(served: Stage) -> None:
    """Wait until the log has said and shipped of itself what it says at first: the rest goes back with its database."""
    await asyncio.sleep(SOON_SECONDS + 1)
    unshipped = "SELECT count(*) FROM outbox JOIN outbox_state WHERE number IS NULL OR number > shipped"
    await until(lambda: rows(served, unshipped) == [(0,)])
    await until(lambda: size(served) >= rows(served, "SELECT size FROM log_state")[0][0])


def set_back(served: Stage, copy: Path) -> None:
    """Put a copy in the place of the log's database."""
    for suffix in ("-wal", "-shm"):
        (served.folder / f"audit.db{suffix}").unlink(missing_ok=True)
    copy.replace(served.folder / "audit.db")


def backup(served: Stage) -> Path:
    """Copy the log's database while it is written to."""
    copy = served.folder / "copy.db"
    with closing(sqlite3.connect(served.folder / "audit.db")) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    return copy


def peak_mib(process: int) -> int:
    """How much memory a process has had at most, in MiB."""
    status = Path(f"/proc/{process}/status").read_text("utf-8")
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) // 1024


async def lose_and_recover(served: Stage, made: list[Producer], held: int, lost: int) -> Recovered:
    """Fill the log, set it back by `lost` entries, and let producers replay while they go on."""
    people = [IDS.new("usr") for _ in range(_PEOPLE)]

    async def fill(count: int) -> None:
        await asyncio.gather(*(producer.write(count // len(made), people) for producer in made))
        await signed(served, made)

    await fill(held)
    await quiet(served)
    copy, below, begun = backup(served), size(served), time.monotonic()
    await fill(lost)
    filled, own = time.monotonic() - begun, set(rows(served, OWN))
    places = dict(rows(served, "SELECT event_id, idx FROM entries"))
    before, target = sum(len(producer.events) for producer in made), size(served)
    await served.kill()
    await asyncio.to_thread(set_back, served, copy)
    await served.start()
    begun = time.monotonic()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not rows(served, "SELECT ended_ms FROM recoveries WHERE ended_ms IS NOT NULL"):
            await asyncio.gather(*(producer.write(10, people) for producer in made))
            await asyncio.sleep(0.1)
    seconds = time.monotonic() - begun
    peak = await asyncio.to_thread(peak_mib, served.pid)
    await signed(served, made)
    await served.stop()
    found = dict(rows(served, "SELECT event_id, idx FROM entries"))
    written = {each for producer in made for each in producer.events}
    bodiless = rows(served, "SELECT idx FROM bodiless")
    key = load_signer(served.folder / "signing.pem", ORIGIN).verifier.vkey
    return Recovered(
        lost=target - below,
        filled_seconds=filled,
        seconds=seconds,
        peak_mib=peak,
        written_meanwhile=len(written) - before,
        missing=len(written - found.keys()),
        moved=sum(found[each] != places[each] for each in written & places.keys() & found.keys()),
        twice=rows(served, "SELECT size FROM log_state")[0][0] - len(found) - len(bodiless),
        without_record=len(set(bodiless) - own) + rows(served, "SELECT count(*) FROM set_aside")[0][0],
        sound=verify([str(served.folder / "log"), "--key", key]) == 0,
    )


async def main(folder: Path, records: int) -> None:
    """Measure and print."""
    async with stage(folder) as served:
        await served.start()
        async with producers(served) as made:
            sys.stdout.write(f"{await lose_and_recover(served, made, records // 10, records)}\n")


if __name__ == "__main__":
    Path(sys.argv[1]).mkdir(parents=True)
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
