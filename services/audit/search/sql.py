"""SQL of the index: its lines, and finding by them.

Owns how much of the index one page may look at. A page follows the index of one field, newest first, and looks at no
more than `EXAMINED` lines of it, whatever it finds: every page takes as long, however large the log is.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Tuple, delete, func, insert, literal, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.audit.search.store import Count, Found, Position, Span
from services.audit.search.tags import Tags
from services.audit.search.terms import FIELDS
from services.audit.store import Kept
from services.audit.tables import ENTRIES, EVENT_INDEX
from services.kit.clock import milliseconds
from services.kit.db import Database

EXAMINED = 2048
"""Lines of the index that one page may look at."""
COUNTED = 1000
"""A count goes no further."""
_FIRST_LOOK = 128
_C = EVENT_INDEX.c
_BLANK = dict.fromkeys(("time_ms", *FIELDS))
_LED_BY = ("object", "subject", "actor", "action", "outcome")
"""Fields with an index of their own, by how few events one word of them has as a rule."""
_LEAST, _MOST = -(1 << 63), (1 << 63) - 1
_FOLLOW = select(*(func.set_config(f"enable_{way}", "off", True) for way in ("seqscan", "bitmapscan", "sort")))
"""Has PostgreSQL follow an index in its order until the transaction ends. It plans by guesses of how many lines have a
tag, and where a guess is wrong, any other plan reads all that have it, or the whole table."""


class SqlIndex:
    """Finds records by their tags."""

    def __init__(self, database: Database) -> None:
        """Take the main database."""
        self._database = database

    async def page(self, wanted: Mapping[str, int], span: Span, limit: int) -> Found:
        """Return the next records with these tags, at most `limit`: fewer, or none, do not mean the end."""
        async with self._read() as connection:
            led, rest = await _plan(connection, wanted, span)
            rows: list[Row[tuple[int, int]]] = []
            before, resume, look, left = span.before, None, max(_FIRST_LOOK, limit + 1), EXAMINED
            while left and len(rows) <= limit:
                look = min(look, left)
                lines = _lines(led, rest, Span(span.since, span.until, before), look)
                rows += (await connection.execute(_matching(lines, rest, limit + 1 - len(rows)))).all()
                before = resume = await _last_of(connection, lines, look)
                if resume is None:
                    break
                left, look = left - look, look * 4
            if len(rows) > limit:
                rows = rows[:limit]
                resume = Position(rows[-1].time_ms, rows[-1].idx)
            return Found(await _kept(connection, [row.idx for row in rows]), resume)

    async def count(self, wanted: Mapping[str, int], span: Span) -> Count:
        """Count the records with these tags, among the lines that one page may look at."""
        async with self._read() as connection:
            led, rest = await _plan(connection, wanted, span)
            look = EXAMINED if rest else min(EXAMINED, COUNTED + 1)
            lines = _lines(led, rest, span, look)
            matching = _matching(lines, rest, COUNTED + 1).subquery()
            found = int((await connection.execute(select(func.count()).select_from(matching))).scalar_one())
            whole = await _last_of(connection, lines, look) is None
        return Count(min(found, COUNTED), whole and found <= COUNTED)

    @asynccontextmanager
    async def _read(self) -> AsyncIterator[AsyncConnection]:
        async with self._database.read() as connection:
            if self._database.dialect == "postgresql":
                await connection.execute(_FOLLOW)
            yield connection


async def add_lines(connection: AsyncConnection, lines: Mapping[int, Tags | None]) -> None:
    """Add the lines of entries, by index, in the caller's transaction; None for one that nobody can open."""
    rows = [
        {"idx": index, **_BLANK, **({} if tags is None else {"time_ms": tags.time_ms, **tags.words})}
        for index, tags in lines.items()
    ]
    await connection.execute(insert(EVENT_INDEX), rows)


async def replace_lines(connection: AsyncConnection, lines: Mapping[int, Tags | None]) -> None:
    """Add the lines of new entries; those that others left there, before they were taken off the log, go."""
    first, last = min(lines), max(lines)
    gapless = last - first + 1 == len(lines)
    stale = _C.idx.between(first, last) if gapless else _C.idx.in_(lines)
    await connection.execute(delete(EVENT_INDEX).where(stale))
    await add_lines(connection, lines)


async def blank_lines(connection: AsyncConnection, indexes: Sequence[int]) -> None:
    """Blank the lines of entries in the caller's transaction: nothing finds them any more."""
    await connection.execute(update(EVENT_INDEX).where(_C.idx.in_(indexes)).values(_BLANK))


@dataclass(frozen=True, slots=True)
class _Led:
    """The index that is followed: of a field's tag, or of the time alone."""

    postgresql: bool
    field: str = ""
    tag: int = 0

    def lines(self, span: Span, limit: int, *columns: ColumnElement[Any]) -> Select[Any]:
        """Select columns of the next lines, newest first."""
        place = (*((_C[self.field],) if self.field else ()), _C.time_ms, _C.idx)
        within = self._stretch(tuple_(*place), span) if self.postgresql else self._equal(span)
        return select(*columns).where(*within).order_by(*(column.desc() for column in place)).limit(limit)

    def _equal(self, span: Span) -> list[ColumnElement[bool]]:
        bounds = [_C[self.field] == self.tag if self.field else _C.time_ms.is_not(None)]
        if span.since is not None:
            bounds.append(_C.time_ms >= milliseconds(span.since))
        if span.until is not None:
            bounds.append(_C.time_ms < milliseconds(span.until))
        if span.before is not None:
            bounds.append(tuple_(_C.time_ms, _C.idx) < tuple_(span.before.time_ms, span.before.index))
        return bounds

    def _stretch(self, place: Tuple, span: Span) -> list[ColumnElement[bool]]:
        """Return the same as a stretch of this index, which no other index has in this order.

        Else PostgreSQL takes that of the time where a tag is frequent, and reads on for as long as nothing has the tag.
        """
        tag = (self.tag,) if self.field else ()
        ends = [(_MOST, _MOST)]
        if span.until is not None:
            ends.append((milliseconds(span.until), _LEAST))
        if span.before is not None:
            ends.append((span.before.time_ms, span.before.index))
        since = milliseconds(span.since) if span.since is not None else _LEAST
        return [place >= tuple_(*tag, since, _LEAST), place < tuple_(*tag, *min(ends))]


async def _plan(connection: AsyncConnection, wanted: Mapping[str, int], span: Span) -> tuple[_Led, Mapping[str, int]]:
    """Choose the field whose index to follow, the one with the fewest lines; return it and what is left to compare."""
    leaders, postgresql = [name for name in _LED_BY if name in wanted], connection.dialect.name == "postgresql"
    if not leaders:
        return _Led(postgresql), wanted
    leader = leaders[0]
    if len(leaders) > 1:
        sizes = [_size(_Led(postgresql, name, wanted[name]), span).label(name) for name in leaders]
        counted = (await connection.execute(select(*sizes))).one()
        leader = min(leaders, key=lambda name: int(getattr(counted, name)))  # the first of equals
    return _Led(postgresql, leader, wanted[leader]), {name: tag for name, tag in wanted.items() if name != leader}


def _size(led: _Led, span: Span) -> ColumnElement[int]:
    lines = led.lines(span, EXAMINED, literal(1).label("one")).subquery()
    return select(func.count()).select_from(lines).scalar_subquery()


def _lines(led: _Led, rest: Mapping[str, int], span: Span, limit: int) -> Select[Any]:
    """Return the next lines, with what is left to compare: nothing else, so that the index alone may answer."""
    return led.lines(span, limit, _C.time_ms, _C.idx, *(_C[name] for name in rest))


def _matching(lines: Select[Any], rest: Mapping[str, int], limit: int) -> Select[tuple[int, int]]:
    seen = lines.subquery()
    query = select(seen.c.time_ms, seen.c.idx).where(*(seen.c[name] == tag for name, tag in rest.items()))
    return query.order_by(seen.c.time_ms.desc(), seen.c.idx.desc()).limit(limit)


async def _last_of(connection: AsyncConnection, lines: Select[Any], look: int) -> Position | None:
    """Return the last line that was looked at; None when there are no more."""
    last = lines.with_only_columns(_C.time_ms, _C.idx).limit(2).offset(look - 1)
    rows = (await connection.execute(last)).all()
    return Position(*rows[0]) if len(rows) > 1 else None


async def _kept(connection: AsyncConnection, indexes: Sequence[int]) -> list[Kept]:
    if not indexes:
        return []
    query = select(ENTRIES.c.idx, ENTRIES.c.event_id, ENTRIES.c.subject, ENTRIES.c.sealed)
    found = {row.idx: Kept(*row) for row in await connection.execute(query.where(ENTRIES.c.idx.in_(indexes)))}
    return [found[index] for index in indexes]
