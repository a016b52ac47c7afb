"""Owns the mapping between billing's contracts and its domain: parse, one domain call, map. Decides nothing."""

import re

from services.billing import store
from services.billing.books import CallLedger, CallWallet
from services.billing.cards import MOST_CARDS, Card, Cards
from services.billing.charges import MOST_MINOR, Charge, State
from services.billing.charging import Charging, Order, RefundOrder
from services.billing.config import GatewayConfig
from services.billing.errors import CHARGE_NOT_FOUND
from services.billing.refunds import Refund, RefundState
from services.kit.call import Call
from services.kit.faults import INVALID_ARGUMENT, Fault
from services.kit.ids import check
from valv.billing.v1 import card_pb2, charge_pb2, export_pb2

PAGE_SIZE = 50
MOST_PAGE_SIZE = 200
_REFERENCE = re.compile(r"[A-Za-z0-9_.\-]{1,64}")
_CURRENCY = re.compile(r"[a-z]{3}")

_CHARGE_STATES = {
    State.PENDING: charge_pb2.Charge.STATE_PENDING,
    State.SUCCEEDED: charge_pb2.Charge.STATE_SUCCEEDED,
    State.DECLINED: charge_pb2.Charge.STATE_DECLINED,
    State.UNKNOWN: charge_pb2.Charge.STATE_UNKNOWN,
}
_REFUND_STATES = {
    RefundState.PENDING: charge_pb2.Refund.STATE_PENDING,
    RefundState.SUCCEEDED: charge_pb2.Refund.STATE_SUCCEEDED,
    RefundState.FAILED: charge_pb2.Refund.STATE_FAILED,
    RefundState.UNKNOWN: charge_pb2.Refund.STATE_UNKNOWN,
}


class CardHandlers:
    """valv.billing.v1.CardService."""

    def __init__(self, cards: Cards, gateway: GatewayConfig) -> None:
        """Take the cards, and what the card fields need to know of the gateway."""
        self._cards = cards
        self._gateway = gateway

    async def create_card_setup(
        self, request: card_pb2.CreateCardSetupRequest, call: Call
    ) -> card_pb2.CreateCardSetupResponse:
        """Begin to add a card."""
        kept, begun = await self._cards.begin(CallWallet(call), call.customer)
        call.record.object("card_setup", kept.setup_id)
        call.reply_metadata.append(("cache-control", "no-store"))
        return card_pb2.CreateCardSetupResponse(
            setup_id=kept.setup_id,
            client_secret=begun.client_secret,
            publishable_key=self._gateway.publishable_key,
            script_url=self._gateway.script_url,
            sandbox=self._gateway.sandbox,
        )

    async def create_card(self, request: card_pb2.CreateCardRequest, call: Call) -> card_pb2.CreateCardResponse:
        """Keep the card of a finished set-up."""
        setup_id = _id("stp", request.setup_id, "setup_id")
        card = await self._cards.keep(CallWallet(call), call.customer, setup_id)
        call.record.object("card", card.card_id)
        return card_pb2.CreateCardResponse(card=_card(card))

    async def list_cards(self, request: card_pb2.ListCardsRequest, call: Call) -> card_pb2.ListCardsResponse:
        """List the caller's cards."""
        cards = (await CallWallet(call).cards(call.customer))[:MOST_CARDS]
        call.record.detail(count=len(cards))
        return card_pb2.ListCardsResponse(cards=[_card(card) for card in cards])

    async def delete_card(self, request: card_pb2.DeleteCardRequest, call: Call) -> card_pb2.DeleteCardResponse:
        """Remove a card."""
        card_id = _id("crd", request.card, "card")
        call.record.object("card", card_id)
        await self._cards.remove(CallWallet(call), call.customer, card_id)
        return card_pb2.DeleteCardResponse()


class PaymentHandlers:
    """valv.billing.v1.PaymentService."""

    async def list_charges(self, request: charge_pb2.ListChargesRequest, call: Call) -> charge_pb2.ListChargesResponse:
        """List the caller's charges."""
        size, before = _page(request.page_size, request.page_token)
        async with call.read() as connection:
            found = await store.charges_page(connection, call.customer, before, size + 1)
        page = found[:size]
        call.record.detail(count=len(page))
        return charge_pb2.ListChargesResponse(
            charges=[_charge(charge) for charge in page],
            next_page_token=page[-1].charge_id if len(found) > size else "",
        )


class ExportHandlers:
    """valv.billing.v1.ExportService."""

    async def export_billing(
        self, request: export_pb2.ExportBillingRequest, call: Call
    ) -> export_pb2.ExportBillingResponse:
        """Return the caller's cards, charges and refunds."""
        size, before = _page(request.page_size, request.page_token)
        async with call.read() as connection:
            cards = [] if before else await store.cards(connection, call.customer)
            found = await store.charges_page(connection, call.customer, before, size + 1)
            page = found[:size]
            refunds = await store.refunds_of(connection, [charge.charge_id for charge in page])
        call.record.detail(count=len(cards) + len(page))
        call.reply_metadata.append(("cache-control", "no-store"))
        return export_pb2.ExportBillingResponse(
            cards=[_card(card) for card in cards],
            charges=[
                export_pb2.ExportedCharge(
                    charge=_charge(charge),
                    refunds=[_refund(refund) for refund in refunds if refund.charge_id == charge.charge_id],
                )
                for charge in page
            ],
            next_page_token=page[-1].charge_id if len(found) > size else "",
        )


class ChargeHandlers:
    """valv.billing.v1.ChargeService. The merchant is the calling service, by its certificate."""

    def __init__(self, charging: Charging) -> None:
        """Take the domain."""
        self._charging = charging

    async def create_charge(
        self, request: charge_pb2.CreateChargeRequest, call: Call
    ) -> charge_pb2.CreateChargeResponse:
        """Charge a customer's card, once per key."""
        order = Order(
            merchant=call.peer.role,
            idempotency_key=request.idempotency_key,
            account_id=_id("usr", request.account_id, "account_id"),
            card_id=_id("crd", request.card_id, "card_id") if request.card_id else "",
            amount_minor=_amount(request.amount.minor, "amount.minor"),
            currency=_matching(_CURRENCY, request.amount.currency, "amount.currency"),
            reference=_matching(_REFERENCE, request.reference, "reference"),
        )
        call.record.subject = order.account_id
        call.record.detail(amount_minor=order.amount_minor, currency=order.currency)
        charge = await self._charging.charge(CallLedger(call), order)
        call.record.object("charge", charge.charge_id)
        call.record.detail(state=charge.state.value)
        return charge_pb2.CreateChargeResponse(charge=_charge(charge))

    async def create_refund(
        self, request: charge_pb2.CreateRefundRequest, call: Call
    ) -> charge_pb2.CreateRefundResponse:
        """Give back all or part of a charge, once per key."""
        order = RefundOrder(
            merchant=call.peer.role,
            idempotency_key=request.idempotency_key,
            charge_id=_id("chg", request.charge_id, "charge_id"),
            amount_minor=_amount(request.amount_minor, "amount_minor") if request.amount_minor else 0,
        )
        refund = await self._charging.refund(CallLedger(call), order)
        call.record.subject = refund.account_id
        call.record.object("refund", refund.refund_id)
        call.record.detail(amount_minor=refund.amount_minor, currency=refund.currency, state=refund.state.value)
        return charge_pb2.CreateRefundResponse(refund=_refund(refund))

    async def get_charge(self, request: charge_pb2.GetChargeRequest, call: Call) -> charge_pb2.GetChargeResponse:
        """Read a charge that the calling service made."""
        charge_id = _id("chg", request.charge_id, "charge_id")
        async with call.read() as connection:
            charge = await store.charge(connection, charge_id)
        if charge is None or charge.merchant != call.peer.role:
            raise Fault(CHARGE_NOT_FOUND, field="charge_id")
        call.record.subject = charge.account_id
        call.record.object("charge", charge.charge_id)
        return charge_pb2.GetChargeResponse(charge=_charge(charge))


def _page(size: int, token: str) -> tuple[int, str]:
    if size < 0:
        raise Fault(INVALID_ARGUMENT, field="page_size")
    return min(size or PAGE_SIZE, MOST_PAGE_SIZE), _id("chg", token, "page_token") if token else ""


def _id(prefix: str, text: str, field: str) -> str:
    try:
        return check(prefix, text)
    except ValueError:
        raise Fault(INVALID_ARGUMENT, field=field) from None


def _matching(form: re.Pattern[str], text: str, field: str) -> str:
    if form.fullmatch(text) is None:
        raise Fault(INVALID_ARGUMENT, field=field)
    return text


def _amount(minor: int, field: str) -> int:
    if not 0 < minor <= MOST_MINOR:
        raise Fault(INVALID_ARGUMENT, field=field)
    return minor


def _card(card: Card) -> card_pb2.Card:
    made = card_pb2.Card(
        card_id=card.card_id,
        brand=card.brand,
        last4=card.last4,
        exp_month=card.exp_month,
        exp_year=card.exp_year,
    )
    made.create_time.FromDatetime(card.create_time)
    return made


def _charge(charge: Charge) -> charge_pb2.Charge:
    made = charge_pb2.Charge(
        charge_id=charge.charge_id,
        account_id=charge.account_id,
        card_id=charge.card_id,
        amount=charge_pb2.Money(currency=charge.currency, minor=charge.amount_minor),
        refunded_minor=charge.refunded_minor,
        state=_CHARGE_STATES[charge.state],
        decline_code=charge.decline_code,
        merchant=charge.merchant,
        reference=charge.reference,
        last4=charge.last4,
    )
    made.create_time.FromDatetime(charge.create_time)
    return made


def _refund(refund: Refund) -> charge_pb2.Refund:
    made = charge_pb2.Refund(
        refund_id=refund.refund_id,
        charge_id=refund.charge_id,
        amount=charge_pb2.Money(currency=refund.currency, minor=refund.amount_minor),
        state=_REFUND_STATES[refund.state],
    )
    made.create_time.FromDatetime(refund.create_time)
    return made
