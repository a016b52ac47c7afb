"""Sign-ins through auth's gRPC port, beside the hash alone on as many threads: what the rest of a sign-in costs.

Over mTLS, in the service's own process, on SQLite; what the caller spends is on the same cores. Then more sign-ins at
once than there are places, past the edge: what memory they take, and how many are refused.
"""

from __future__ import annotations

import asyncio
import secrets
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from argon2 import PasswordHasher

from services.auth.passwords import Parameters
from tests.integration.auth_stage import Edge, Mailbox, Stage, edge, highest_mib, mail_server, refusal
from tests.support.limits import lift
from tests.support.pki import Pki

EMAIL = "anna@example.com"
WORKERS = 2
SIGN_INS = 120
PLACES = 34


def run() -> dict[str, float]:
    """Measure; per second, and mebibytes."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_measure(Path(folder)))


async def _measure(folder: Path) -> dict[str, float]:
    mailbox = Mailbox()
    async with mail_server(mailbox) as port:
        stage = Stage(folder, Pki(folder), port, level="INFO")
        lift(stage.path)
        await stage.start()
        try:
            async with edge(stage) as browser:
                await browser.sign_up(EMAIL)
                await browser.confirm(await mailbox.token(EMAIL))
                return await _compare(browser) | await _crowd(browser, stage)
        finally:
            await stage.stop()


async def _compare(browser: Edge) -> dict[str, float]:
    await browser.sign_in(EMAIL)
    hashes, sign_ins = 0.0, 0.0
    for _ in range(3):  # in turn, so that both meet the same machine
        hashes += hashes_per_second(SIGN_INS // 3) / 3
        sign_ins += await _per_second(lambda: browser.sign_in(EMAIL), SIGN_INS // 3, at_once=8) / 3
    return {
        "hashes_alone_per_second": hashes,
        "sign_ins_per_second": sign_ins,
        "sign_ins_to_hashes_ratio": sign_ins / hashes,
    }


def hashes_per_second(count: int) -> float:
    parameters = Parameters()
    hasher = PasswordHasher(
        time_cost=parameters.time_cost, memory_cost=parameters.memory_kib, parallelism=parameters.parallelism
    )
    with ThreadPoolExecutor(WORKERS) as pool:
        begun = time.perf_counter()
        list(pool.map(lambda _: hasher.hash(b"x" * 32), range(count)))
    return count / (time.perf_counter() - begun)


async def _per_second(one: Callable[[], Awaitable[object]], count: int, at_once: int) -> float:
    left = iter(range(count))

    async def work() -> None:
        for _ in left:
            await one()

    begun = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(at_once)))
    return count / (time.perf_counter() - begun)


async def _crowd(browser: Edge, stage: Stage) -> dict[str, float]:
    """Send ten times as many sign-ins at once as there are places, once those places have all been taken before."""
    await asyncio.gather(*(knock(browser) for _ in range(PLACES)))
    before = highest_mib(stage)
    reasons = Counter(await asyncio.gather(*(knock(browser) for _ in range(10 * PLACES))))
    return {
        "memory_at_as_many_sign_ins_as_places_mib": before,
        "memory_added_by_ten_times_as_many_mib": highest_mib(stage) - before,
        "of_those_refused_for_now": reasons["OVERLOADED"] / (10 * PLACES),
    }


async def knock(browser: Edge) -> str:
    """Try to sign in as somebody else each time: who has failed often in a row costs no hash."""
    email = f"{secrets.token_hex(8)}@example.com"
    return (await refusal(lambda: browser.sign_in(email, "not the password at all")))[1]
