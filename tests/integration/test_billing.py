"""Billing as it runs: a real process over mTLS, a real gateway over HTTPS, and what happens when either fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import grpc
import pytest

from services.kit.clients import reason_of
from tests.support import billing_house
from tests.support.billing_house import ACCOUNT, TIMEOUT_SECONDS, House
from valv.billing.v1 import charge_pb2

CREATE, CONFIRM = "POST /v1/payment_intents", "POST /v1/payment_intents/*/confirm"
SUCCEEDED = charge_pb2.Charge.STATE_SUCCEEDED
TYPED = ("4242424242424242", "4000000000009995")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with billing_house.running(tmp_path) as running:
        yield running


async def refusal(call: Awaitable[object]) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    return refused.value.code(), reason_of(refused.value)


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until it holds."""
    async with asyncio.timeout(90):
        while True:
            if await holds():
                return
            await asyncio.sleep(0.02)


@pytest.mark.timeout(300)
@pytest.mark.clause("P11", "PCI DSS 3.3.1", "PCI DSS 3.4.1")
async def test_a_day_at_the_shop(house: House) -> None:
    card = await house.add_card()
    charge = await house.charge("order-1", 1000)
    assert (charge.state, charge.last4, charge.merchant, charge.card_id) == (SUCCEEDED, "4242", "shop", card.card_id)
    assert await house.charge("order-1", 1000) == charge == await house.read(charge.charge_id)
    assert await refusal(house.charge("order-1", 2000)) == (grpc.StatusCode.INVALID_ARGUMENT, "IDEMPOTENCY_MISMATCH")

    await _thirty_at_once(house)
    await _twenty_refunds_at_once(house, charge)
    await _lost_answers(house)
    await _bad_input(house)

    broke = await house.add_card("4000000000009995")
    declined = await house.charge("order-broke", card_id=broke.card_id)
    assert (declined.state, declined.decline_code) == (charge_pb2.Charge.STATE_DECLINED, "insufficient_funds")
    _nothing_kept(house.folder)


async def _thirty_at_once(house: House) -> None:
    before = len(await house.psp.captures())
    results = await asyncio.gather(*(house.charge("order-30") for _ in range(30)), return_exceptions=True)
    for result in results:
        if isinstance(result, grpc.aio.AioRpcError):
            assert reason_of(result) == "OPERATION_IN_PROGRESS"
        else:
            assert isinstance(result, charge_pb2.Charge)
    assert (await house.settled("order-30")).state == SUCCEEDED
    assert len(await house.psp.captures()) == before + 1


async def _twenty_refunds_at_once(house: House, charge: charge_pb2.Charge) -> None:
    asked = (house.refund(f"refund-{number}", charge.charge_id, 90) for number in range(20))
    results = await asyncio.gather(*asked, return_exceptions=True)
    for result in results:
        if isinstance(result, grpc.aio.AioRpcError):
            assert reason_of(result) == "REFUND_EXCEEDS_CHARGE"
    await eventually(lambda: _refunded(house, charge, 990))
    assert (await house.refund("refund-rest", charge.charge_id)).amount.minor == 10
    assert sum(row["amount"] for row in (await house.psp.ask("/v1/refunds", limit=100))["data"]) == 1000


async def _refunded(house: House, charge: charge_pb2.Charge, amount: int) -> bool:
    return (await house.read(charge.charge_id)).refunded_minor == amount


async def _lost_answers(house: House) -> None:
    before = len(await house.psp.captures())
    for kind in ("drop_before", "drop_after", "error_after", "conflict", "rate_limit"):
        await house.psp.fault(CREATE, kind)
        await house.psp.fault(CONFIRM, kind, count=2)
        assert (await house.settled(f"order-{kind}")).state == SUCCEEDED
        await house.psp.no_faults()
    assert len(await house.psp.captures()) == before + 5


async def _bad_input(house: House) -> None:
    invalid = (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT")
    assert await refusal(house.charge("k1", 0)) == invalid
    assert await refusal(house.charge("k1", reference="two words")) == invalid
    assert await refusal(house.charge("k1", account="nobody")) == invalid
    assert await refusal(house.charge("")) == (grpc.StatusCode.INVALID_ARGUMENT, "IDEMPOTENCY_KEY_REQUIRED")
    assert await refusal(house.charge("4242 4242 4242 4242")) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "CARD_NUMBER_REFUSED",
    )
    stranger = ACCOUNT.replace("v9", "v8")
    assert await refusal(house.charge("k1", account=stranger)) == (grpc.StatusCode.NOT_FOUND, "CARD_NOT_FOUND")
    unknown = "chg_01jd9xk8w0q2m3n4p5r6s7t8v9"
    assert await refusal(house.read(unknown)) == (grpc.StatusCode.NOT_FOUND, "CHARGE_NOT_FOUND")
    assert await refusal(house.refund("k", unknown)) == (grpc.StatusCode.NOT_FOUND, "CHARGE_NOT_FOUND")


def _nothing_kept(folder: Path) -> None:
    """Look for the typed card numbers in every file: databases, their logs, log lines, spans."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {"billing.db", "billing.log", "psp.db", "spans.jsonl"} <= {path.name for path in files}
    for path in files:
        data = path.read_bytes()
        for number in TYPED:
            assert number.encode() not in data, path.name
            assert f"{number[:4]} {number[4:8]} {number[8:12]} {number[12:]}".encode() not in data, path.name


@pytest.mark.timeout(400)
async def test_killed_at_any_step_it_charges_once(house: House) -> None:
    await house.add_card()
    number = 0
    for pattern, kind, taken in (
        (CREATE, "slow_after", False),  # the payment is created, its id not committed
        (CONFIRM, "slow_before", False),  # the id is committed, the confirmation under way
        (CONFIRM, "slow_after", True),  # the money is taken, the outcome not committed
    ):
        for _ in range(8):
            number += 1
            await house.psp.fault(pattern, kind, seconds=TIMEOUT_SECONDS * 0.9)
            if await _killed_while_charging(house, number, taken=taken):
                break
        else:
            raise AssertionError("it was never killed in time")


async def _killed_while_charging(house: House, number: int, *, taken: bool) -> bool:
    """Kill billing when the gateway has got so far; tell whether that was before billing had answered."""

    async def created() -> bool:
        return len((await house.psp.ask("/v1/payment_intents", limit=100))["data"]) == number

    async def captured() -> bool:
        return len(await house.psp.captures()) == number

    call = asyncio.ensure_future(house.charge(f"order-{number}"))
    await eventually(captured if taken else created)
    await house.kill()
    await house.psp.no_faults()
    answer = (await asyncio.gather(call, return_exceptions=True))[0]
    await house.start()
    assert (await house.settled(f"order-{number}")).state == SUCCEEDED
    assert await captured()
    assert await created()
    return isinstance(answer, grpc.aio.AioRpcError)
