"""Producers with real outboxes and relays around a log whose stores can be backed up and restored."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import select

from services.audit.appender import Appender
from services.audit.own_records import OwnRecords
from services.audit.recovery.placing import Place
from services.audit.sql_lease import SqlLease
from services.audit.store import Head
from services.audit.tables import ENTRIES
from services.kit.faults import Fault
from services.kit.ids import Ids
from services.kit.outbox import Outbox
from services.kit.relay import CONFIRM_SECONDS, LEASE_SECONDS, Relay
from services.kit.shipping import Away
from services.kit.telemetry import Log
from tests.support.clock import FakeClock
from tests.support.stores import make_outbox
from tests.unit.audit.world import World, make_world
from valv.audit.v1 import event_pb2

PRODUCERS = ("auth", "files", "billing")


class Sender:
    """A producer's way to the log, which can be put in the place of another after a restore."""

    def __init__(self, role: str, appender: Appender) -> None:
        self.role, self.appender = role, appender

    async def head(self, epoch: str = "", shipped: int = 0) -> tuple[str, int]:
        held = await self.appender.head(self.role, Head(epoch, shipped) if epoch else None)
        return (held.epoch, held.highest) if held is not None else ("", 0)

    async def append(self, epoch: str, predecessor: str, first_number: int, events: Sequence[bytes]) -> int:
        try:
            return await self.appender.append_serialized(Place(self.role, epoch, predecessor, first_number), events)
        except Fault as fault:
            raise Away from fault


@dataclass
class Producer:
    """A service with an outbox."""

    role: str
    outbox: Outbox
    clock: FakeClock
    written: list[event_pb2.Event] = field(default_factory=list)

    async def write(self, subject: str) -> event_pb2.Event:
        """Record an event about the subject."""
        event = self.outbox.event(f"{self.role}.thing.do")
        event.actor.kind, event.actor.id = event_pb2.Actor.KIND_SERVICE, self.role
        event.subject = subject
        await self.outbox.record(event)
        self.written.append(event)
        return event

    async def ship(self, appender: Appender, batches: int = 1000) -> None:
        """Ship what the log takes."""
        self.clock.advance(LEASE_SECONDS + 1)
        relay = Relay(self.outbox, Sender(self.role, appender), self.clock, Ids(self.clock), Log("test"))
        await _ship(relay, batches)


async def _ship(relay: Relay, batches: int) -> None:
    try:
        while batches and await relay.step():
            batches -= 1
    except Away:
        return


class House:
    """A log and its producers."""

    def __init__(self, folder: Path, producers: list[Producer]) -> None:
        self.folder, self.producers = folder, producers
        self.clock = producers[0].clock

    @asynccontextmanager
    async def log(self) -> AsyncIterator[World]:
        """Open the log on what its stores hold now, at the producers' time."""
        self.clock.advance(SqlLease.SECONDS + 1)
        async with make_world(self.folder, clock=self.clock, step=False) as world:
            yield world

    def backup(self, name: str) -> Path:
        """Copy a database consistently; return the copy."""
        copy = self.folder / f"{name}.backup-{len(list(self.folder.iterdir()))}"
        with sqlite3.connect(self.folder / f"{name}.db") as source, sqlite3.connect(copy) as target:
            source.backup(target)
        source.close()
        target.close()
        return copy

    def restore(self, name: str, copy: Path) -> None:
        """Put the copy in the database's place."""
        for suffix in ("", "-wal", "-shm"):
            (self.folder / f"{name}.db{suffix}").unlink(missing_ok=True)
        (self.folder / f"{name}.db").write_bytes(copy.read_bytes())

    async def recover(self, world: World, rounds: int = 12) -> None:
        """Let time pass, relays ship and the sequencer work."""
        own = Relay(world.outbox, OwnRecords(world.appender), world.clock, world.ids, Log("test"))
        for done in range(rounds):
            await world.sequencer._round()
            for producer in self.producers:
                await producer.ship(world.appender)
            await _ship(own, 1000)
            self.clock.advance(CONFIRM_SECONDS)
            if done and not world.sequencer.recovering and await world.records.size() == (await world.signed()).size:
                return


@asynccontextmanager
async def make_house(folder: Path) -> AsyncIterator[House]:
    """Open producers beside the log in the folder."""
    clock = FakeClock()
    async with AsyncExitStack() as stack:
        producers = []
        for role in PRODUCERS:
            place = folder / role
            place.mkdir()
            outbox = await make_outbox(place, clock)
            stack.push_async_callback(outbox.database.close)
            stack.push_async_callback(outbox.close)
            producers.append(Producer(role, outbox, clock))
        yield House(folder, producers)


async def indexes(world: World) -> dict[str, int]:
    """The index of every event that has a record."""
    async with world.database.read() as connection:
        rows = await connection.execute(select(ENTRIES.c.event_id, ENTRIES.c.idx))
        return {row.event_id: row.idx for row in rows}
