"""Owns billing's live checks: they look at billing's own store, log and connection, and record what they found.

`billing.card_numbers_in_store` (P11) counts card numbers in every text of the database and in the log file.
`billing.gateway_tls` (P12) shakes hands with the payment gateway and counts the bits of the suite.
Must never record, log or keep what it found: counts only.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError
from sqlalchemy import LargeBinary, String, Table, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.billing import sql
from services.billing.egress import Handshake, WeakConnection
from services.kit import cardguard
from services.kit.ids import is_id
from services.kit.outbox import Outbox
from services.kit.telemetry import Log
from valv.audit.v1 import event_pb2

CARD_NUMBERS = "billing.card_numbers_in_store"
GATEWAY_TLS = "billing.gateway_tls"
_PAGE = 500
_GRPC_PREFIX = re.compile(r"[IWEF]\d{4} [\d:.]+ +\d+ ")
"""Time and thread that gRPC's core puts before its own lines."""
_MACHINE_MADE = frozenset({"time", "request_id", "trace_id"})
"""Fields of a log line whose form the kit makes itself; their digits may look like anything."""


class Checks:
    """Runs the checks, for ever."""

    def __init__(
        self,
        outbox: Outbox,
        shake: Callable[[], Awaitable[Handshake]],
        log_file: Path | None,
        every_seconds: float,
        log: Log,
    ) -> None:
        """Take the outbox (whose database is searched), how to shake hands, our log's file, and how often."""
        self._outbox = outbox
        self._shake = shake
        self._log_file = log_file
        self._seconds = every_seconds
        self._log = log

    async def run(self) -> None:
        """Run all checks, then wait."""
        while True:
            for check in (self.card_numbers, self.gateway_tls):
                try:
                    await check()
                except (SQLAlchemyError, OSError) as error:
                    self._log.failure("a live check did not run", error, check=check.__name__)
            await asyncio.sleep(self._seconds)

    async def card_numbers(self) -> int:
        """Count card numbers in our database and log; returns the count."""
        found = 0
        async with self._outbox.database.read() as connection:
            for table in sql.metadata.sorted_tables:
                async for text in _texts(connection, table):
                    found += cardguard.contains_card_number(text)
        if self._log_file is not None:
            found += await asyncio.to_thread(_in_log, self._log_file)
        await self._record(CARD_NUMBERS, "broken" if found else "kept", found)
        return found

    async def gateway_tls(self) -> str:
        """Shake hands with the gateway; returns the state."""
        bits = 0
        try:
            made = await self._shake()
            bits = made.bits
            made.require_strong()
            state = "kept"
        except WeakConnection:
            state = "broken"
        except (OSError, TimeoutError):
            state = "unknown"
        await self._record(GATEWAY_TLS, state, bits)
        return state

    async def _record(self, check: str, state: str, count: int) -> None:
        event = self._outbox.event("practice.check")
        event.actor.kind, event.actor.id = event_pb2.Actor.KIND_SERVICE, "billing"
        event.object.kind, event.object.id = "practice", check
        event.details.state, event.details.count = state, count
        await self._outbox.record(event)


async def _texts(connection: AsyncConnection, table: Table) -> AsyncIterator[str]:
    """Yield every text of a table that a caller or the gateway could have put there."""
    columns = [column for column in table.columns if isinstance(column.type, String | LargeBinary)]
    if not columns:
        return
    rows = await connection.stream(select(*columns).execution_options(yield_per=_PAGE))
    async for row in rows:
        for value in row:
            for text in _of_event(value) if isinstance(value, bytes) else [value]:
                if text and not is_id(text):
                    yield text


def _of_event(data: bytes) -> list[str]:
    try:
        event = event_pb2.Event.FromString(data)
    except DecodeError:
        return [data.decode("latin-1")]
    event.ClearField("request_id")
    event.ClearField("trace_id")
    return list(_strings(event))


def _strings(message: Any) -> Iterator[str]:
    for _, value in message.ListFields():
        if isinstance(value, str):
            yield value
        elif hasattr(value, "ListFields"):
            yield from _strings(value)


def _in_log(path: Path) -> int:
    if not path.exists():
        return 0
    with path.open(encoding="utf-8", errors="replace") as lines:
        return sum(any(cardguard.contains_card_number(text) for text in _of_line(line)) for line in lines)


def _of_line(line: str) -> list[str]:
    try:
        fields = json.loads(line)
    except ValueError:
        return [_GRPC_PREFIX.sub("", line, count=1)]
    if not isinstance(fields, dict):
        return [line]
    return [json.dumps(value) for name, value in fields.items() if name not in _MACHINE_MADE and not is_id(str(value))]
