"""What a flood of sign-ins does to somebody who is signed in: a customer's requests through Envoy, alone and meanwhile.

The flood comes from many people at once, each at a browser of their own, without the edge's limit per address: here all
of them are one. The request is one that auth itself answers, in the process that also signs in.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING

import httpx

from deploy.cli.layout import REPOSITORY
from tests.bench.bench_house import unlimited
from tests.support.live import Live
from tests.support.person import Person, newcomer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

REQUESTS = 250
ROUNDS = 4
PEOPLE = 100
FLOOD_SECONDS = 3.0
"""Until the flood has begun and all places are taken."""


def run() -> dict[str, float]:
    """Measure; milliseconds."""
    with tempfile.TemporaryDirectory(prefix="valv-bench-") as folder:
        live = Live(Path(folder))
        try:
            unlimited(live)
            live.start()
            return asyncio.run(_measure(live, newcomer(live)))
        finally:
            live.close()


async def _measure(live: Live, person: Person) -> dict[str, float]:
    alone: list[float] = []
    flooded: list[float] = []
    async with httpx.AsyncClient(base_url=live.address, verify=live.trust, timeout=30) as client:
        for _ in range(ROUNDS):  # in turn, so that both meet the same machine
            alone += await _times(client, person)
            async with _flooding(live):
                flooded += await _times(client, person)
    before, meanwhile = quantiles(alone, n=100), quantiles(flooded, n=100)
    return {
        "request_p50_ms": before[49],
        "request_p99_ms": before[98],
        "request_p50_in_a_flood_ms": meanwhile[49],
        "request_p99_in_a_flood_ms": meanwhile[98],
        "flooded_to_alone_p50_ratio": meanwhile[49] / before[49],
        "flooded_to_alone_p99_ratio": meanwhile[98] / before[98],
    }


async def _times(client: httpx.AsyncClient, person: Person) -> list[float]:
    """Return the milliseconds of each request; as a browser does, it sends the assertion it was last given."""
    session = {"Valv-Session": person.token}
    fresh = (await client.get("/v1/files", headers=session)).headers["valv-assertion"]
    times = []
    for _ in range(REQUESTS):
        begun = time.perf_counter()
        (await client.get("/v1/session", headers={**session, "Valv-Assertion": fresh})).raise_for_status()
        times.append((time.perf_counter() - begun) * 1000)
    return times


@asynccontextmanager
async def _flooding(live: Live) -> AsyncIterator[None]:
    command = [
        sys.executable,
        "-m",
        "tests.bench.flood",
        live.address,
        str(live.layout.certificates / "browser" / "ca.pem"),
        str(PEOPLE),
    ]
    running = await asyncio.create_subprocess_exec(*command, cwd=REPOSITORY)
    try:
        await asyncio.sleep(FLOOD_SECONDS)
        yield
        if running.returncode is not None:
            raise RuntimeError("the flood ended")
    finally:
        running.kill()
        await running.wait()
        await asyncio.sleep(FLOOD_SECONDS)
