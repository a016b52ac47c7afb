"""An export over a log's real stores, into a sink that a test can break."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import select

from services.audit.journal import ROLE, Journal
from services.audit.siem.batches import Batches
from services.audit.siem.exporter import Exporter
from services.audit.siem.sql import SqlExports
from services.audit.siem.store import Batch, Route, Sink, SinkError
from services.audit.sql_lease import SIEM_HTTPS, SqlLease
from services.kit.telemetry import Log
from tests.unit.audit.world import World


class Collector:
    """A sink in memory."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.away = False

    async def send(self, batch: Batch) -> None:
        """Take the batch, unless the collector is away."""
        if self.away:
            raise SinkError("AWAY")
        self.taken.append(batch.lines)

    @property
    def records(self) -> list[dict[str, Any]]:
        """What was taken, in order."""
        return [json.loads(line) for lines in self.taken for line in lines.splitlines()]

    @property
    def indexes(self) -> list[int]:
        """The indexes of events and tombstones, in order."""
        return [valv(record)["log"]["index"] for record in self.records if valv(record)["record"] != "checkpoint"]


def valv(record: dict[str, Any]) -> dict[str, Any]:
    """Return what a record says beside OCSF."""
    found: dict[str, Any] = record["unmapped"]["valv"]
    return found


def exporter(world: World, sink: Sink, limit: int = 100) -> Exporter:
    """Return the exporter of a process of its own."""
    journal = Journal(world.outbox)
    store = SqlExports(world.database, world.clock, journal)
    lease = SqlLease(world.database, world.clock, world.ids.new("hld"), SIEM_HTTPS)
    batches = Batches(store, world.bodies, world.clock, Log("test"))
    return Exporter(Route("https", sink, limit), batches, store, world.heads, lease, journal, world.clock, Log("test"))


async def drain(made: Exporter) -> None:
    """Export until nothing waits."""
    while await made.step():
        pass


async def relay(world: World) -> list[bytes]:
    """Carry the service's own records, which the outbox holds, into the log; return what was new."""
    head = await world.records.head(ROLE)
    place = world.place(ROLE, head.highest + 1 if head is not None else 1)
    table = world.outbox.table
    async with world.database.read() as connection:
        rows = list((await connection.execute(select(table.c.event).order_by(table.c.id))).scalars())
    fresh = rows[place.first - 1 :]
    if fresh:
        await world.appender.append_serialized(place, fresh)
    return fresh


async def advance(world: World) -> None:
    """Sign what is there, and let readers of the checkpoint see it."""
    await world.sign()
    world.clock.advance(1)
