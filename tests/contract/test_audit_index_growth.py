"""How much of the index a question reads, in each database: as much in a log of any size, whatever the clock says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import event, insert, text, update

from services.audit.search.sql import EXAMINED
from services.audit.search.store import Position, Span
from services.audit.tables import ENTRIES, EPOCHS, EVENT_INDEX, LOG_STATE
from tests.unit.audit.world import World

SMALL, LARGE = 5_000, 100_000
EVER = Span(None, None, None)
WATCHED, OBJECT, DENIED, SUCCESS, LIST, DOWNLOAD, CUSTOMER, NOBODY = range(1, 9)
EACH = 100
"""The watched customer has so many events in a log of any size, spread over all of it; half of them on one object."""

ONE_ANSWER: dict[str, dict[str, int]] = {
    "a customer": {"subject": WATCHED},
    "an object": {"object": OBJECT},
    "refusals of a customer": {"subject": WATCHED, "outcome": DENIED},
    "three that never met": {"subject": WATCHED, "action": LIST, "actor": NOBODY},
    "what never happened": {"action": NOBODY},
    "a common action": {"action": DOWNLOAD},
    "a common outcome": {"outcome": SUCCESS},
    "a common pair": {"action": DOWNLOAD, "outcome": SUCCESS},
    "a pair that never met": {"action": DOWNLOAD, "outcome": SUCCESS, "kind": NOBODY},
    "anything": {},
}


async def test_a_question_reads_as_much_in_a_large_log_as_in_a_small_one(world: World) -> None:
    meter = _meter(world)
    read: dict[int, dict[str, int]] = {}
    for start, size in ((0, SMALL), (SMALL, LARGE)):
        await grow(world, start, size)
        read[size] = {name: await _asked(meter, world, wanted) for name, wanted in ONE_ANSWER.items()}
    for name in ONE_ANSWER:
        assert read[LARGE][name] <= 1.25 * read[SMALL][name] + 100, (name, read)


async def test_no_question_reads_more_than_a_page_may_look_at(world: World) -> None:
    """The busiest customer's: as many lines as there are, and most of them not what was asked for."""
    meter = _meter(world)
    await grow(world, 0, LARGE, watched=LARGE // 2)
    wanted = {"subject": WATCHED, "action": LIST, "outcome": SUCCESS, "kind": NOBODY}
    looks = 10  # at each field to choose by, at the lines, and for the last of them: once for the page, once to count
    assert await _asked(meter, world, wanted) <= meter.a_line * looks * EXAMINED + 100


async def test_a_later_page_reads_no_more_than_the_first(world: World) -> None:
    meter = _meter(world)
    await grow(world, 0, LARGE)
    wanted = {"action": DOWNLOAD, "kind": CUSTOMER}
    first = await meter.read(world.index.page(wanted, EVER, 50))
    deep = Span(None, None, Position(1000 * (LARGE // 50), LARGE // 50))
    assert await meter.read(world.index.page(wanted, deep, 50)) <= 1.25 * first + 100


async def grow(world: World, start: int, size: int, watched: int = EACH) -> None:
    """Let the log grow to `size` entries in a moment: lines of the index, and the entries that a page returns."""
    spaced = size // watched
    lines = [_line(index, None if index % spaced else index // spaced) for index in range(size)]
    async with world.database.write() as connection:
        for table in (EVENT_INDEX, ENTRIES):
            await connection.execute(table.delete())
        if not start:
            await connection.execute(
                insert(EPOCHS).values(id=77, producer="p", epoch="e", predecessor="", highest=0, current=True)
            )
        for at in range(0, size, 10_000):
            some = lines[at : at + 10_000]
            await connection.execute(insert(EVENT_INDEX), some)
            await connection.execute(insert(ENTRIES), [_entry(line["idx"]) for line in some])
        await connection.execute(update(LOG_STATE).values(size=size))


def _line(index: int, turn: int | None) -> dict[str, int]:
    action = (DOWNLOAD, DOWNLOAD, LIST)[index % 3]
    line = {"idx": index, "time_ms": index * 1000, "subject": 100 + index % 997, "actor": 100 + index % 997}
    line |= {"kind": CUSTOMER, "action": action, "area": 1, "object": 10_000 + index % 5003, "outcome": SUCCESS}
    if turn is not None:
        line |= {"subject": WATCHED, "actor": WATCHED, "outcome": DENIED if turn % 3 == 0 else SUCCESS}
        line |= {"object": OBJECT if turn % 2 else 10_000 + index % 5003}
    return line


def _entry(index: int) -> dict[str, Any]:
    values = {"epoch_id": 77, "number": index + 1, "event_id": f"evt_{index}", "subject": "", "arrived_ms": 0}
    return {"idx": index, **values, "entry": b"", "sealed": b""}


async def _asked(meter: Any, world: World, wanted: Mapping[str, int]) -> int:
    """Return how much the first page and its count read, as an operator's search asks for both."""
    page = await meter.read(world.index.page(wanted, EVER, 50))
    return int(page + await meter.read(world.index.count(wanted, EVER)))


def _meter(world: World) -> Any:
    return _Steps(world) if world.database.dialect == "sqlite" else _Rows(world)


class _Steps:
    """Counts what SQLite does: instructions of its virtual machine."""

    a_line = 25

    def __init__(self, world: World) -> None:
        self._steps = 0
        event.listen(world.database._reader.sync_engine, "checkout", self._count)

    def _count(self, connection: Any, *_rest: object) -> None:
        connection.driver_connection._conn.set_progress_handler(self._tick, 10)

    def _tick(self) -> int:
        self._steps += 10
        return 0

    async def read(self, asking: Any) -> int:
        self._steps = 0
        await asking
        return self._steps


class _Rows:
    """Counts what PostgreSQL reads: the rows that its plans, made as in a search, take from tables and indexes."""

    a_line = 1

    def __init__(self, world: World) -> None:
        self._database, self._index, self._statements = world.database, world.index, list[tuple[str, Any]]()
        event.listen(world.database._reader.sync_engine, "before_cursor_execute", self._keep)

    def _keep(self, _connection: object, _cursor: object, statement: str, parameters: Any, *_rest: object) -> None:
        if "event_index" in statement and not statement.startswith(("EXPLAIN", "ANALYZE")):
            self._statements.append((statement, parameters))

    async def read(self, asking: Any) -> int:
        async with self._database.write() as connection:
            await connection.execute(text("ANALYZE event_index"))
        self._statements.clear()
        await asking
        total = 0
        async with self._index._read() as connection:
            for statement, parameters in list(self._statements):
                explain = f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}"
                plan = (await connection.exec_driver_sql(explain, parameters)).scalar_one()
                total += _rows_read((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"])
        return total


def _rows_read(plan: dict[str, Any]) -> int:
    below = plan.get("Plans", [])
    if below:
        return sum(_rows_read(each) for each in below)
    return int((plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"])
