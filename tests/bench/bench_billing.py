"""What a charge through billing costs beside the payment gateway's own time: the same two requests, made directly."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median

from services.billing.gateway import Payment
from tests.support import billing_house
from tests.support.billing_house import House

ROUNDS = 100
WARM_UP = 10


def run() -> dict[str, float]:
    """Measure; milliseconds per charge, medians of one caller at a time."""
    return asyncio.run(_run())


async def _run() -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        async with billing_house.running(Path(folder), level="INFO", check_seconds=3600) as house:
            direct, through = await _measure(house)
    return {
        "gateway_alone_ms": round(direct, 2),
        "charge_ms": round(through, 2),
        "added_ms": round(through - direct, 2),
        "ratio": round(through / direct, 2),
    }


async def _measure(house: House) -> tuple[float, float]:
    card = await house.add_card()
    gateway = house.psp.adapter(timeout_seconds=15)

    async def directly(number: int) -> None:
        payment = Payment(f"bench-{number}", card.gateway_customer, card.gateway_method, 1000, "sek")
        intent = await gateway.create_intent(payment)
        await gateway.confirm_intent(intent.intent, payment.operation)

    async def through_billing(number: int) -> None:
        await house.charge(f"bench-{number}")

    times: tuple[list[float], list[float]] = ([], [])
    for number in range(WARM_UP + ROUNDS):  # in turn, so that both meet the same machine
        for one, kept in zip((directly, through_billing), times, strict=True):
            kept.append(await _timed(one, number))
    await gateway.close()
    direct, through = (median(kept[WARM_UP:]) for kept in times)
    return direct, through


async def _timed(one: Callable[[int], Awaitable[None]], number: int) -> float:
    started = time.perf_counter()
    await one(number)
    return (time.perf_counter() - started) * 1000
