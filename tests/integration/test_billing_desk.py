"""What customers and the shop get from billing's handlers, on both databases, with the sandbox gateway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import select

from services.billing import sql
from services.billing.books import TaskLedger
from services.billing.erasure import Eraser, StatutoryConfig
from services.billing.errors import (
    CARD_NOT_FOUND,
    CARD_REMOVAL_PENDING,
    CARD_SETUP_UNFINISHED,
    OPERATION_IN_PROGRESS,
    REFUND_EXCEEDS_CHARGE,
)
from services.kit.erasure import EraseAway
from services.kit.faults import INVALID_ARGUMENT, NOT_FOUND, UNAUTHENTICATED, Fault, Reason
from services.kit.store_leaks import StoreSearch
from tests.support import billing_desk, sandbox
from tests.support.billing_desk import CARDS, CHARGES, EXPORTS, PAYMENTS, Desk
from tests.support.clock import FakeClock
from valv.audit.v1 import event_pb2
from valv.billing.v1 import card_pb2, charge_pb2, export_pb2

ANNA, BERT = "usr_01jd9xk8w0q2m3n4p5r6s7t8v9", "usr_01jd9xk8w0q2m3n4p5r6s7t8va"
SUCCEEDED = charge_pb2.Charge.STATE_SUCCEEDED


@pytest.fixture(params=["sqlite", "postgresql"])
async def desk(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Desk]:
    url = f"sqlite+aiosqlite:///{tmp_path}/billing.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    async with sandbox.running(tmp_path) as psp, billing_desk.opened(url, psp) as opened:
        yield opened


class refused:  # noqa: N801 - reads like pytest.raises
    """Expects a refusal with a reason."""

    def __init__(self, reason: Reason) -> None:
        self._reason, self._raises = reason, pytest.raises(Fault)

    def __enter__(self) -> None:
        self._info = self._raises.__enter__()

    def __exit__(self, *error: object) -> bool:
        done = bool(self._raises.__exit__(*error))  # type: ignore[arg-type]  # the test hands over what types forbid, or a stand-in
        assert self._info.value.reason is self._reason
        return done


async def test_the_migrations_make_the_tables_that_the_code_uses(desk: Desk) -> None:
    async with desk.outbox.database.read() as connection:
        found = await connection.run_sync(lambda sync: compare_metadata(MigrationContext.configure(sync), sql.metadata))
    assert [change for change in found if "alembic_version" not in str(change)] == []


@pytest.mark.clause("P11")
async def test_a_card_is_kept_as_token_brand_last_four_digits_and_expiry(desk: Desk) -> None:
    card = await desk.add_card(ANNA)
    assert (card.brand, card.last4, card.exp_month, card.exp_year) == ("visa", "4242", 12, 2034)
    assert await desk.cards(ANNA) == [card]
    assert await desk.cards(BERT) == []
    actions = [(event.action, event.subject, event.object.id) for event in await desk.events()]
    assert ("billing.card.create", ANNA, card.card_id) in actions


async def test_a_set_up_is_kept_once_and_by_its_own_customer_only(desk: Desk) -> None:
    request = card_pb2.CreateCardSetupRequest()
    setup = await desk.call(CARDS, "create_card_setup", request, account=ANNA)
    assert setup.sandbox
    with refused(CARD_SETUP_UNFINISHED):
        await desk.keep(ANNA, setup.setup_id)
    assert (await desk.psp.type_card(setup.client_secret)).status_code == 200
    with refused(NOT_FOUND):
        await desk.keep(BERT, setup.setup_id)
    kept = await asyncio.gather(*(desk.keep(ANNA, setup.setup_id) for _ in range(5)))
    assert all(card == kept[0] for card in kept)
    await desk.delete(ANNA, kept[0].card_id)
    with refused(CARD_SETUP_UNFINISHED):
        await desk.keep(ANNA, setup.setup_id)


async def test_without_a_session_there_are_no_cards(desk: Desk) -> None:
    with refused(UNAUTHENTICATED):
        await desk.call(CARDS, "list_cards", card_pb2.ListCardsRequest())


async def test_a_removed_card_is_gone_here_and_at_the_gateway(desk: Desk) -> None:
    card = await desk.add_card(ANNA)
    with refused(CARD_NOT_FOUND):
        await desk.delete(BERT, card.card_id)
    await desk.delete(ANNA, card.card_id)
    assert await desk.cards(ANNA) == []
    with refused(CARD_NOT_FOUND):
        await desk.delete(ANNA, card.card_id)
    with refused(CARD_NOT_FOUND):
        await desk.charge(ANNA, "k")


async def test_a_card_that_the_gateway_would_not_forget_is_unusable_at_once_and_removed_later(desk: Desk) -> None:
    setup = await desk.call(CARDS, "create_card_setup", card_pb2.CreateCardSetupRequest(), account=ANNA)
    await desk.psp.type_card(setup.client_secret)
    card = await desk.keep(ANNA, setup.setup_id)
    await desk.psp.fault("POST */detach", "drop_before")
    with refused(CARD_REMOVAL_PENDING):
        await desk.delete(ANNA, card.card_id)
    with refused(CARD_SETUP_UNFINISHED):
        await desk.keep(ANNA, setup.setup_id)
    assert await desk.cards(ANNA) == []
    with refused(CARD_NOT_FOUND):
        await desk.charge(ANNA, "k")
    assert await desk.resolver.settle() == 1
    assert await desk.resolver.settle() == 0
    last = (await desk.events())[-1]
    assert (last.action, last.subject, last.actor.id) == ("billing.card.resolve", ANNA, "billing")


async def test_a_charge_is_recorded_for_the_customer_before_and_after(desk: Desk) -> None:
    await desk.add_card(ANNA)
    charge = await desk.charge(ANNA, "k")
    begun, done = [event for event in await desk.events() if event.object.id == charge.charge_id]
    assert (begun.action, done.action) == ("billing.charge.begin", "billing.charge.create")
    for event in (begun, done):
        assert (event.subject, event.actor.id, event.origin.address) == (ANNA, "shop", "")
        assert (event.details.amount_minor, event.details.currency) == (1000, "sek")
    assert done.details.state == "succeeded"


async def test_customers_page_through_their_own_charges(desk: Desk) -> None:
    await desk.add_card(ANNA)
    made = [(await desk.charge(ANNA, f"k{number}")).charge_id for number in range(5)]
    seen, token = [], ""
    while True:
        request = charge_pb2.ListChargesRequest(page_size=2, page_token=token)
        page = await desk.call(PAYMENTS, "list_charges", request, account=ANNA)
        seen += [charge.charge_id for charge in page.charges]
        token = page.next_page_token
        if not token:
            break
    assert seen == made[::-1]
    assert not (await desk.call(PAYMENTS, "list_charges", charge_pb2.ListChargesRequest(), account=BERT)).charges


async def test_an_outcome_nobody_knows_is_found_out_in_the_background(desk: Desk) -> None:
    await desk.add_card(ANNA)
    await desk.psp.fault("POST /v1/payment_intents/*/confirm", "drop_after")
    await desk.psp.fault("GET /v1/payment_intents/*", "error_before")
    charge = await desk.charge(ANNA, "k")
    assert charge.state == charge_pb2.Charge.STATE_UNKNOWN
    assert (await desk.charge(ANNA, "k")).state == charge_pb2.Charge.STATE_UNKNOWN
    for _ in range(100):
        await asyncio.sleep(0.1)
        if await desk.resolver.settle():
            break
    assert (await desk.charge(ANNA, "k")).state == SUCCEEDED
    assert len(await desk.psp.captures()) == 1
    resolved = [event for event in await desk.events() if event.action == "billing.charge.resolve"]
    assert [(event.subject, event.details.state) for event in resolved] == [(ANNA, "succeeded")]
    assert resolved[0].actor.kind == event_pb2.Actor.KIND_SERVICE


async def test_races_for_one_key_and_for_what_is_left(desk: Desk) -> None:
    await desk.add_card(ANNA)
    results = await asyncio.gather(*(desk.charge(ANNA, "k") for _ in range(30)), return_exceptions=True)
    for result in results:
        if isinstance(result, Fault):
            assert result.reason is OPERATION_IN_PROGRESS
    assert len(await desk.psp.captures()) == 1
    charge = await desk.charge(ANNA, "k")

    async def refund(key: str) -> None:
        request = charge_pb2.CreateRefundRequest(idempotency_key=key, charge_id=charge.charge_id, amount_minor=300)
        await desk.call(CHARGES, "create_refund", request, role="shop")

    outcomes = await asyncio.gather(*(refund(f"r{number}") for number in range(20)), return_exceptions=True)
    refusals = [outcome.reason for outcome in outcomes if isinstance(outcome, Fault)]
    assert refusals == [REFUND_EXCEEDS_CHARGE] * 17
    assert (await desk.charge(ANNA, "k")).refunded_minor == 900


@pytest.mark.clause("P11", "PCI DSS 3.2.1")
async def test_the_live_check_counts_card_numbers_in_the_store(desk: Desk) -> None:
    await desk.add_card(ANNA)
    await desk.charge(ANNA, "k")
    search = StoreSearch(desk.outbox.database, sql.metadata)
    assert await search.cards() == 0
    async with desk.outbox.database.write() as connection:
        await connection.execute(sql.charges.update().values(reference="x-4000056655665556"))
    assert (await search.cards(), await search.secrets()) == (1, 0)


async def test_an_export_holds_cards_charges_and_what_was_given_back(desk: Desk) -> None:
    card = await desk.add_card(ANNA)
    await desk.add_card(BERT)
    charges = [await desk.charge(ANNA, f"key-{number}") for number in range(3)]
    await desk.charge(BERT, "key-of-bert")
    for key, minor in (("one", 300), ("two", 200)):
        request = charge_pb2.CreateRefundRequest(
            idempotency_key=key, charge_id=charges[1].charge_id, amount_minor=minor
        )
        await desk.call(CHARGES, "create_refund", request, role="shop")
    pages: list[export_pb2.ExportBillingResponse] = []
    token = ""
    while not pages or token:
        asked = export_pb2.ExportBillingRequest(page_size=2, page_token=token)
        page = await desk.call(EXPORTS, "export_billing", asked, account=ANNA)
        pages.append(page)
        token = page.next_page_token
    assert [[one.card_id for one in page.cards] for page in pages] == [[card.card_id], []]
    found = [one for page in pages for one in page.charges]
    assert [one.charge.charge_id for one in found] == [one.charge_id for one in reversed(charges)]
    assert [[refund.amount.minor for refund in one.refunds] for one in found] == [[], [300, 200], []]
    for wrong in (export_pb2.ExportBillingRequest(page_size=-1), export_pb2.ExportBillingRequest(page_token="x")):
        with refused(INVALID_ARGUMENT):
            await desk.call(EXPORTS, "export_billing", wrong, account=ANNA)


@pytest.mark.clause("P11", "P14")
async def test_an_erasure_removes_cards_everywhere_and_keeps_what_the_law_demands(desk: Desk) -> None:
    await desk.add_card(ANNA)
    await desk.add_card(ANNA, "5555555555554444")
    theirs = await desk.add_card(BERT)
    charge = await desk.charge(ANNA, "key")
    request = charge_pb2.CreateRefundRequest(idempotency_key="back", charge_id=charge.charge_id, amount_minor=300)
    await desk.call(CHARGES, "create_refund", request, role="shop")
    clock = FakeClock(desk.clock.now())
    eraser = Eraser(desk.outbox, TaskLedger(desk.outbox), desk.gateway, clock, StatutoryConfig(keep_days=10))
    for _ in range(2):
        erased = await eraser.erase(ANNA)
        assert [(item.kind, item.count) for item in erased.blocked] == [("charge", 1), ("refund", 1)]
        assert all(item.until and 9 < (item.until - clock.now()).days + 1 <= 10 for item in erased.blocked)
    assert await desk.cards(ANNA) == []
    assert [card.card_id for card in await desk.cards(BERT)] == [theirs.card_id]
    assert await eraser.release() == 0
    clock.advance(11 * 86400)
    assert await eraser.release() == 1
    async with desk.outbox.database.read() as connection:
        for table in (sql.charges, sql.refunds, sql.cards, sql.customers, sql.setups, sql.erased):
            assert (await connection.execute(select(table).where(table.c.account_id == ANNA))).all() == []
    counts = [one.details.count for one in await desk.events() if one.action == "billing.account.erase"]
    assert counts == [5, 0]
    assert [one.details.count for one in await desk.events() if one.action == "billing.account.release"] == [2]


async def test_an_erasure_waits_for_a_gateway_that_does_not_answer(desk: Desk) -> None:
    await desk.add_card(ANNA)
    eraser = Eraser(desk.outbox, TaskLedger(desk.outbox), desk.gateway, desk.clock, StatutoryConfig())
    await desk.psp.fault("POST */detach", "drop_before", count=9)
    with pytest.raises(EraseAway):
        await eraser.erase(ANNA)
    assert await desk.cards(ANNA) == [], "it is used no more"
    assert [one for one in await desk.events() if one.action == "billing.account.erase"] == []
