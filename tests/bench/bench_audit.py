"""How many records a second the log takes in durably and signs, beside raw group-committed inserts.

First in one process, then over mTLS from four producers in a process of their own, on the same cores. Last the time
from what a customer did in a whole Valv until a signed checkpoint covers its record: outbox, relay, log, tiles, key.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import quantiles

import httpx
from sqlalchemy import Column, Integer, LargeBinary, MetaData, String, Table, insert

from deploy.cli.layout import REPOSITORY
from services.audit import wire
from services.kit.db import Database, DatabaseConfig
from services.kit.event import Event
from tests.bench.bench_house import unlimited
from tests.integration.audit_stage import stage
from tests.support.live import Live
from tests.support.person import newcomer
from tests.unit.audit.world import World, databases, make_world, migrate_all

RECORDS = 20_000
BATCH = 256
PRODUCERS = 8
ACTIONS = 100
SETTLE_SECONDS = 5


def run() -> dict[str, float]:
    """Measure; returns numbers by name, rates in records a second."""
    with tempfile.TemporaryDirectory(prefix="valv-bench-") as folder:
        configs = databases(Path(folder))
        migrate_all(configs)
        numbers = asyncio.run(_measure(Path(folder), configs))
        (Path(folder) / "port").mkdir()
        over_mtls = asyncio.run(_over_mtls(Path(folder) / "port"))
        numbers |= {
            "appends_over_mtls_per_second": over_mtls,
            "over_mtls_ratio_to_raw": over_mtls / numbers["raw_inserts_per_second"],
        }
        return numbers | _until_signed(Path(folder) / "live")


async def _measure(folder: Path, configs: dict[str, DatabaseConfig]) -> dict[str, float]:
    raw = await _raw(folder / "raw.db")
    async with make_world(folder, configs) as world:
        appended, signed, slowest = await _append(world)
    return {
        "raw_inserts_per_second": raw,
        "appends_per_second": appended,
        "appends_and_signs_per_second": signed,
        "ratio_to_raw": appended / raw,
        "slowest_checkpoint_seconds": slowest,
    }


async def _raw(path: Path) -> float:
    """Rows of a record's size, as many to a transaction as a batch has."""
    rows = Table(
        "raw", MetaData(), Column("id", Integer, primary_key=True), Column("event_id", String(30), unique=True)
    )
    rows.append_column(Column("body", LargeBinary))
    database = Database(DatabaseConfig(f"sqlite+aiosqlite:///{path}"))
    async with database.write() as connection:
        await connection.run_sync(rows.metadata.create_all)
    values = [{"event_id": f"evt_{number:026}", "body": bytes(420)} for number in range(RECORDS)]
    started = time.perf_counter()
    for start in range(0, RECORDS, BATCH):
        async with database.write() as connection:
            await connection.execute(insert(rows), values[start : start + BATCH])
    elapsed = time.perf_counter() - started
    await database.close()
    return RECORDS / elapsed


async def _append(world: World) -> tuple[float, float, float]:
    """Serialized events in, from several producers at once, while the sequencer signs beside them."""
    subjects = [world.ids.new("usr") for _ in range(100)]
    for subject in subjects:
        await world.keyring.get_or_create(subject)
    work = [_serialized(world, subjects) for _ in range(PRODUCERS)]
    rounds: list[float] = []
    signing = asyncio.create_task(_sign(world, rounds))
    started = time.perf_counter()
    await asyncio.gather(*(_produce(world, f"bench{number}", batches) for number, batches in enumerate(work)))
    appended = time.perf_counter() - started
    while (await world.signed()).size < RECORDS:  # noqa: ASYNC110 - the sequencer tells nobody
        await asyncio.sleep(0.01)
    signed = time.perf_counter() - started
    signing.cancel()
    await asyncio.gather(signing, return_exceptions=True)
    return RECORDS / appended, RECORDS / signed, max(rounds)


def _serialized(world: World, subjects: list[str]) -> list[list[bytes]]:
    events: list[Event] = [world.event(subjects[number % 100]) for number in range(RECORDS // PRODUCERS)]
    data = [wire.message_of(event).SerializeToString() for event in events]
    return [data[start : start + BATCH] for start in range(0, len(data), BATCH)]


async def _produce(world: World, producer: str, batches: list[list[bytes]]) -> None:
    for batch in batches:
        await world.append(*[wire.event_of(data) for data in batch], producer=producer)


async def _sign(world: World, rounds: list[float]) -> None:
    while True:
        started = time.perf_counter()
        await world.sequencer.step()
        rounds.append(time.perf_counter() - started)
        await asyncio.sleep(0.25)


async def _over_mtls(folder: Path) -> float:
    async with stage(folder) as audit:
        await audit.start()
        arguments = (str(folder / "pki"), str(audit.port), str(RECORDS))
        producing = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.bench.producers", *arguments, cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE
        )
        said, _ = await producing.communicate()
    return RECORDS / float(said)


def _until_signed(folder: Path) -> dict[str, float]:
    """Read one's files at odd moments, and ask for the checkpoint all the time."""
    live = Live(folder)
    try:
        unlimited(live)
        live.start()
        person = newcomer(live)
        heads: list[tuple[float, int]] = []
        stop = threading.Event()
        watching = threading.Thread(target=_watch, args=(live, heads, stop))
        watching.start()
        acted: dict[str, float] = {}
        for number in range(ACTIONS):
            reply = person.http.get("/v1/files")
            acted[reply.headers["x-request-id"]] = time.monotonic()
            time.sleep(0.1 + 0.3 * (number * 0.618 % 1))
        time.sleep(SETTLE_SECONDS)
        stop.set()
        watching.join()
        indexes = {one["event"]["requestId"]: int(one.get("index", 0)) for one in person.activities()}
    finally:
        live.close()
    waits = [next(at for at, size in heads if size > indexes[name]) - since for name, since in acted.items()]
    return {
        "action_to_checkpoint_p50_seconds": quantiles(waits, n=100)[49],
        "action_to_checkpoint_p99_seconds": quantiles(waits, n=100)[98],
    }


def _watch(live: Live, heads: list[tuple[float, int]], stop: threading.Event) -> None:
    client = live.client()
    while not stop.wait(0.02):
        reply = client.get("/log/checkpoint")
        if reply.status_code == httpx.codes.OK:
            heads.append((time.monotonic(), int(reply.text.splitlines()[1])))
