"""What billing relies on in any payment gateway; run on the Stripe adapter against the sandbox, faults included."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from services.billing.gateway import (
    GatewayCard,
    GatewayRefused,
    GatewayUnknown,
    IntentStatus,
    Payment,
    PaymentGateway,
    RefundStatus,
)
from services.billing.stripe_gateway import StripeGateway
from services.kit.config import ConfigError
from tests.support import sandbox
from tests.support.sandbox import Sandbox

ACCOUNT = "usr_01jd9xk8w0q2m3n4p5r6s7t8v9"
LOSSES = [
    "drop_before",
    "drop_after",
    "error_before",
    "error_after",
    "conflict",
    "rate_limit",
    "slow_before",
    "slow_after",
]


@pytest.fixture
async def psp(tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with sandbox.running(tmp_path) as running:
        yield running


@pytest.fixture
async def gateway(psp: Sandbox) -> AsyncIterator[StripeGateway]:
    adapter = psp.adapter(timeout_seconds=15)
    yield adapter
    await adapter.close()


async def card(
    psp: Sandbox, gateway: PaymentGateway, number: str = sandbox.GOOD, key: str = "stp_1"
) -> tuple[str, str]:
    """Add a card; return the customer and the token."""
    customer = await gateway.create_customer(ACCOUNT)
    setup = await gateway.create_setup(customer, key)
    reply = await psp.type_card(setup.client_secret, number)
    assert reply.status_code == 200, reply.text
    finished = await gateway.read_setup(setup.setup)
    assert finished.card is not None
    return customer, finished.card.method


def payment(customer: str, method: str, operation: str = "chg_1", amount: int = 1000) -> Payment:
    return Payment(operation, customer, method, amount, "sek")


async def test_a_customer_is_created_once(gateway: StripeGateway) -> None:
    assert await gateway.create_customer(ACCOUNT) == await gateway.create_customer(ACCOUNT)


async def test_a_set_up_has_no_card_until_the_card_fields_confirmed_it(psp: Sandbox, gateway: StripeGateway) -> None:
    customer = await gateway.create_customer(ACCOUNT)
    setup = await gateway.create_setup(customer, "stp_1")
    assert (await gateway.read_setup(setup.setup)).card is None
    assert (await psp.type_card(setup.client_secret)).status_code == 200
    finished = await gateway.read_setup(setup.setup)
    assert finished.customer == customer
    assert finished.card == GatewayCard(finished.card.method if finished.card else "", "visa", "4242", 12, 2034)


async def test_a_detached_card_is_gone_and_detaching_again_is_fine(psp: Sandbox, gateway: StripeGateway) -> None:
    customer = await gateway.create_customer(ACCOUNT)
    setup = await gateway.create_setup(customer, "stp_1")
    await psp.type_card(setup.client_secret)
    finished = await gateway.read_setup(setup.setup)
    assert finished.card is not None
    await gateway.detach(finished.card.method)
    await gateway.detach(finished.card.method)
    assert (await gateway.read_setup(setup.setup)).card is None
    with pytest.raises(GatewayRefused):
        await gateway.create_intent(payment(customer, finished.card.method))


async def test_creating_takes_no_money_and_confirming_takes_it_once(psp: Sandbox, gateway: StripeGateway) -> None:
    asked = payment(*await card(psp, gateway))
    intent = await gateway.create_intent(asked)
    assert await gateway.create_intent(asked) == intent
    assert await psp.captures() == []
    for key in ("chg_1", "chg_1"):
        assert (await gateway.confirm_intent(intent.intent, key)).status is IntentStatus.SUCCEEDED
    with pytest.raises(GatewayUnknown):
        await gateway.confirm_intent(intent.intent, "another key")
    assert [row["amount_received"] for row in await psp.captures()] == [1000]
    assert (await gateway.read_intent(intent.intent)).status is IntentStatus.SUCCEEDED


@pytest.mark.parametrize(
    "number,code",
    [
        ("4000000000000002", "generic_decline"),
        ("4000000000000341", "generic_decline"),
        ("4000000000009995", "insufficient_funds"),
        ("4000000000009987", "lost_card"),
        ("4000000000009979", "stolen_card"),
    ],
)
async def test_a_decline_is_a_result_with_the_gateways_code(
    psp: Sandbox, gateway: StripeGateway, number: str, code: str
) -> None:
    intent = await gateway.create_intent(payment(*await card(psp, gateway, number)))
    for answer in (await gateway.confirm_intent(intent.intent, "k"), await gateway.read_intent(intent.intent)):
        assert (answer.status, answer.decline_code) == (IntentStatus.DECLINED, code)
    assert await psp.captures() == []


async def test_a_payment_is_found_by_the_operation_it_is_for(psp: Sandbox, gateway: StripeGateway) -> None:
    intent = await gateway.create_intent(payment(*await card(psp, gateway)))
    assert await gateway.find_intent("chg_1") == intent
    assert await gateway.find_intent("chg_2") is None


async def test_a_canceled_payment_takes_no_money_and_a_paid_one_is_not_canceled(
    psp: Sandbox, gateway: StripeGateway
) -> None:
    customer, method = await card(psp, gateway)
    first = await gateway.create_intent(payment(customer, method, "chg_1"))
    assert (await gateway.cancel_intent(first.intent)).status is IntentStatus.CANCELED
    with pytest.raises(GatewayUnknown):
        await gateway.confirm_intent(first.intent, "chg_1")
    assert (await gateway.read_intent(first.intent)).status is IntentStatus.CANCELED
    second = await gateway.create_intent(payment(customer, method, "chg_2"))
    await gateway.confirm_intent(second.intent, "chg_2")
    assert (await gateway.cancel_intent(second.intent)).status is IntentStatus.SUCCEEDED


async def test_refunds_happen_once_and_never_exceed_what_was_captured(psp: Sandbox, gateway: StripeGateway) -> None:
    intent = await gateway.create_intent(payment(*await card(psp, gateway)))
    await gateway.confirm_intent(intent.intent, "chg_1")
    made = await gateway.refund(intent.intent, 600, "rfd_1")
    assert made.status is RefundStatus.SUCCEEDED
    assert await gateway.refund(intent.intent, 600, "rfd_1") == made
    assert await gateway.find_refund(intent.intent, "rfd_1") == made
    assert await gateway.find_refund(intent.intent, "rfd_2") is None
    asked = (gateway.refund(intent.intent, 90, f"rfd_x{number}") for number in range(20))
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(not isinstance(result, BaseException) for result in results) == 4
    assert all(isinstance(result, GatewayRefused) for result in results if isinstance(result, BaseException))


@pytest.mark.parametrize("kind", LOSSES)
async def test_an_answer_that_does_not_come_is_unknown_and_asking_again_charges_once(psp: Sandbox, kind: str) -> None:
    gateway = psp.adapter(timeout_seconds=2 if kind.startswith("slow") else 15)
    asked = payment(*await card(psp, gateway))

    async def until_known(pattern: str, ask: Callable[[], Awaitable[object]]) -> None:
        await psp.fault(pattern, kind, seconds=3)
        with pytest.raises(GatewayUnknown):
            await ask()
        for _ in range(20):
            try:
                await ask()
            except GatewayUnknown:
                await asyncio.sleep(0.2)
            else:
                return
        raise AssertionError("it never answered")

    await until_known("POST /v1/payment_intents", lambda: gateway.create_intent(asked))
    intent = await gateway.create_intent(asked)
    await until_known("POST */confirm", lambda: gateway.confirm_intent(intent.intent, "chg_1"))
    await until_known("POST /v1/refunds", lambda: gateway.refund(intent.intent, 400, "rfd_1"))
    assert len((await psp.ask("/v1/payment_intents"))["data"]) == 1
    assert len(await psp.captures()) == 1
    assert [row["amount"] for row in (await psp.ask("/v1/refunds"))["data"]] == [400]
    await gateway.close()


async def test_thirty_at_once_under_one_key_make_one_payment(psp: Sandbox, gateway: StripeGateway) -> None:
    asked = payment(*await card(psp, gateway))
    results = await asyncio.gather(*(gateway.create_intent(asked) for _ in range(30)), return_exceptions=True)
    made = {result.intent for result in results if not isinstance(result, BaseException)}
    assert len(made) == 1
    assert len((await psp.ask("/v1/payment_intents"))["data"]) == 1


async def test_a_wrong_key_is_unknown_not_a_refusal(psp: Sandbox) -> None:
    """A wrong API key says nothing about the charge: it must not end as declined."""
    adapter = psp.adapter(key="sk_test_wrong")
    with pytest.raises(GatewayUnknown):
        await adapter.create_customer(ACCOUNT)
    await adapter.close()


async def test_the_sdk_is_silent_and_refuses_to_start_when_told_to_print(
    psp: Sandbox, gateway: StripeGateway, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    logging.getLogger("stripe").setLevel(logging.WARNING)
    await card(psp, gateway)
    assert capfd.readouterr().err == ""
    monkeypatch.setenv("STRIPE_LOG", "debug")
    with pytest.raises(ConfigError):
        psp.adapter()
