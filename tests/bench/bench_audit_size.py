"""Whether the log stays quick as it grows: each kind of reading at 10^4 and 10^6 entries, and their ratio.

A question has as long an answer in each log, or has to look as far: what grows is the log around it. What was done by
the busiest customers grows with the log, until a page looks no further; that is told beside it, without a ratio.

With VALV_BENCH_LARGE=1 at 10^7 too: half an hour and 12 GB. VALV_BENCH_FOLDER says where, else the temporary folder.
"""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

from services.audit.search.tags import OWNER
from services.audit.search.terms import Terms
from services.kit.db import DatabaseConfig
from tests.bench import bulk
from tests.unit.audit.world import World, databases, make_world, migrate_all

SIZES = (10_000, 1_000_000)
LARGEST = 10_000_000
ROUNDS = 200
APPENDED = 20_000
Asked = Callable[[World, bulk.People, random.Random], Awaitable[object]]


def run() -> dict[str, float]:
    """Measure; returns milliseconds by what was asked, and bytes an entry."""
    sizes = (*SIZES, LARGEST) if os.environ.get("VALV_BENCH_LARGE") else SIZES
    numbers: dict[str, float] = {}
    smallest: dict[str, float] = {}
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="valv-bench-", dir=os.environ.get("VALV_BENCH_FOLDER")) as folder:
            home = Path(folder)
            configs = databases(home)
            migrate_all(configs)
            people = asyncio.run(_people(home, configs, size))
            bulk.fill(home / "audit.db", people)
            found = asyncio.run(_measure(home, configs, people))
        smallest = smallest or found
        for name, value in found.items():
            numbers[f"{name}_at_{size}"] = value
            if name.endswith("_ms") and not name.startswith("busy_") and size != sizes[0]:
                numbers[f"{name}_at_{size}_ratio"] = value / smallest[name]
    with tempfile.TemporaryDirectory(prefix="valv-bench-", dir=os.environ.get("VALV_BENCH_FOLDER")) as folder:
        configs = databases(Path(folder))
        migrate_all(configs)
        numbers |= asyncio.run(_appended(Path(folder), configs))
    return numbers


async def _people(home: Path, configs: dict[str, DatabaseConfig], size: int) -> bulk.People:
    async with make_world(home, configs) as world:
        people = bulk.people_of(size, await world.keyring.get_or_create(OWNER))
        await world.lease.release()
    await bulk.bury_keys(home, home / "keys.db", people)
    return people


async def _measure(home: Path, configs: dict[str, DatabaseConfig], people: bulk.People) -> dict[str, float]:
    numbers: dict[str, float] = {}
    size = people.size
    async with make_world(home, configs) as world:
        signed, started = (await world.signed()).size, time.perf_counter()
        await world.sign()
        numbers["signs_per_second"] = (size - signed) / (time.perf_counter() - started)
        world.clock.advance(1)
        while await world.filling.step():
            pass
        for name, ask in ASKED.items():
            numbers |= await _timed(name, lambda source, ask=ask: ask(world, people, source))  # type: ignore[misc]  # mypy infers no type for a lambda with defaults
        await world.lease.release()
    numbers["main_database_bytes_an_entry"] = (home / "audit.db").stat().st_size / size
    files = [path.stat() for path in (home / "log").rglob("*") if path.is_file()]
    numbers["tiles_bytes_an_entry"] = sum(file.st_size for file in files) / size
    numbers["tiles_disk_bytes_an_entry"] = sum(file.st_blocks * 512 for file in files) / size
    sys.stdout.write(f"  {size} entries measured\n")
    return numbers


async def _timed(name: str, ask: Callable[[random.Random], Awaitable[object]]) -> dict[str, float]:
    source = random.Random(7)
    took = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        await ask(source)
        took.append((time.perf_counter() - started) * 1000)
    cuts = statistics.quantiles(took, n=100)
    return {f"{name}_p50_ms": cuts[49], f"{name}_p99_ms": cuts[98]}


def _search(**fixed: Any) -> Asked:
    async def ask(world: World, people: bulk.People, source: random.Random) -> object:
        terms = {name: value(people, source) if callable(value) else value for name, value in fixed.items()}
        return await world.search.page("greta", Terms(**terms), 50, "")

    return ask


async def _proof(world: World, people: bulk.People, source: random.Random) -> object:
    size = await world.records.size()
    (kept,) = await world.records.page(_anyone(people, source), source.randrange(size // 2, size), 1)
    return await world.activity.anyones(kept.event_id)


async def _subject_page(world: World, people: bulk.People, source: random.Random) -> object:
    return await world.activity.page(_anyone(people, source), 50, "")


async def _filtered_page(world: World, people: bulk.People, source: random.Random) -> object:
    return await world.activity.page(_anyone(people, source), 50, "", Terms(area="billing", outcome="denied"))


async def _busy_page(world: World, people: bulk.People, source: random.Random) -> object:
    return await world.activity.page(_busy(people, source), 50, "", Terms(area="billing", outcome="denied"))


def _anyone(people: bulk.People, source: random.Random) -> str:
    return people.ids[source.randrange(bulk.WATCHED)]


def _file(_people: bulk.People, source: random.Random) -> str:
    return bulk.file_of(source.randrange(bulk.WATCHED), 0)


def _busy(people: bulk.People, source: random.Random) -> str:
    return people.ids[bulk.WATCHED + source.randrange(10)]


ASKED: dict[str, Asked] = {
    "proof": _proof,
    "subject_page": _subject_page,
    "subject_page_filtered": _filtered_page,
    "search_of_an_object": _search(object=_file),
    "search_of_a_rare_action": _search(action="auth.operator.disable"),
    "search_of_a_common_action": _search(action="files.file.download"),
    "search_of_a_common_outcome": _search(outcome="success"),
    "search_of_refusals_of_one_person": _search(subject=_anyone, outcome="denied"),
    "search_of_a_common_pair": _search(action="files.file.download", outcome="success"),
    "search_of_an_hour": _search(
        since=bulk.END - timedelta(days=bulk.DAYS) + timedelta(minutes=100),
        until=bulk.END - timedelta(days=bulk.DAYS) + timedelta(minutes=160),
    ),
    "search_of_what_never_happened": _search(action="auth.never.happened"),
    "search_of_a_pair_that_never_met": _search(action="files.file.download", outcome="success", kind="operator"),
    "search_of_three_that_never_met": _search(subject=_anyone, action="files.file.list", actor="shop"),
    "busy_customers_page_filtered": _busy_page,
    "busy_customers_refusals": _search(subject=_busy, outcome="denied"),
    "busy_customers_three_that_never_met": _search(subject=_busy, action="files.file.list", actor="shop"),
}


async def _appended(home: Path, configs: dict[str, DatabaseConfig]) -> dict[str, float]:
    """Disk of entries that came one batch after the other, as they do in life: indexes are not packed then."""
    async with make_world(home, configs) as world:
        subjects = [world.ids.new("usr") for _ in range(200)]
        for subject in subjects:
            await world.keyring.get_or_create(subject)
        started = time.perf_counter()
        for _ in range(0, APPENDED, 256):
            world.clock.advance(1)
            await world.append(*[world.event(random.choice(subjects)) for _ in range(256)])
        rate = APPENDED / (time.perf_counter() - started)
    with closing(sqlite3.connect(home / "audit.db")) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return {"appended_bytes_an_entry": (home / "audit.db").stat().st_size / APPENDED, "one_producer_per_second": rate}
