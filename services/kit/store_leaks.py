"""The search for what must be nowhere, in a process's own database: every text of every table, over and over.

Owns how far a search has come: each round is bounded and goes on where the last one stopped. It counts; it must never
record, log or keep what it found.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError
from sqlalchemy import Column, LargeBinary, String, Table, select, tuple_

from services.kit.leaks import Leaks
from valv.audit.v1 import event_pb2

if TYPE_CHECKING:
    from sqlalchemy import MetaData
    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.kit.db import Database

ROWS_A_ROUND = 20_000
_PAGE = 500


@dataclass
class _Pass:
    """One way through all tables: where it is, and what it has found."""

    table: int = 0
    after: tuple[Any, ...] | None = None
    found: Leaks = field(default_factory=Leaks)


class StoreSearch:
    """Searches every text of a database, over and over.

    What counts is the last whole pass, or the present one where it has found more.
    """

    def __init__(self, database: Database, metadata: MetaData, sealed: Iterable[Column[Any]] = ()) -> None:
        """Take the database, its tables, and the columns that hold ciphertext or digests, where nothing can be read."""
        skipped = {(column.table.name, column.name) for column in sealed}
        self._database = database
        self._tables = [(table, texts) for table in metadata.sorted_tables if (texts := _texts(table, skipped))]
        self._pass, self._last = _Pass(), Leaks()
        self._turn = asyncio.Lock()

    async def cards(self) -> int:
        """Search on; return how many values hold a card number."""
        await self._search()
        return max(self._last.cards, self._pass.found.cards)

    async def secrets(self) -> int:
        """Search on; return how many values hold a secret."""
        await self._search()
        return max(self._last.secrets, self._pass.found.secrets)

    async def _search(self) -> None:
        async with self._turn:
            left = ROWS_A_ROUND
            async with self._database.read() as connection:
                while left > 0:
                    left -= await self._page(connection, min(left, _PAGE))
                    if self._pass.table == len(self._tables):
                        self._last, self._pass = self._pass.found, _Pass()
                        return

    async def _page(self, connection: AsyncConnection, limit: int) -> int:
        """Search a page of the present table; return how many rows it was."""
        table, texts = self._tables[self._pass.table]
        key = list(table.primary_key.columns)
        query = select(*key, *texts).order_by(*key).limit(limit)
        if self._pass.after is not None:
            query = query.where(tuple_(*key) > tuple_(*self._pass.after))
        rows = (await connection.execute(query)).all()
        for row in rows:
            for value in row[len(key) :]:
                for text in _of_value(value):
                    self._pass.found.look(text)
        if len(rows) == limit:
            self._pass.after = tuple(rows[-1][: len(key)])
        else:
            self._pass.table, self._pass.after = self._pass.table + 1, None
        await asyncio.sleep(0)  # let others have a turn
        return len(rows)


def _texts(table: Table, skipped: set[tuple[str, str]]) -> list[Column[Any]]:
    """Return the columns of a table that a caller or a third party could have put text in."""
    return [
        column
        for column in table.columns
        if isinstance(column.type, String | LargeBinary) and (table.name, column.name) not in skipped
    ]


def _of_value(value: str | bytes | None) -> list[str]:
    if value is None:
        return []
    if isinstance(value, str):
        return [value]
    try:
        event = event_pb2.Event.FromString(value)
    except DecodeError:
        return [value.decode("latin-1")]
    event.ClearField("request_id")
    event.ClearField("trace_id")
    return list(_strings(event))


def _strings(message: Any) -> Iterator[str]:
    for _, value in message.ListFields():
        if isinstance(value, str):
            yield value
        elif hasattr(value, "ListFields"):
            yield from _strings(value)
