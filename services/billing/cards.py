"""Owns a customer's cards: tokens of the payment gateway. Never sees, keeps or asks for a card number."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.billing.charges import moment
from services.billing.errors import (
    CARD_NOT_FOUND,
    CARD_REMOVAL_PENDING,
    CARD_SETUP_UNFINISHED,
    GATEWAY_UNAVAILABLE,
    TOO_MANY_CARDS,
)
from services.billing.gateway import GatewayCard, GatewayRefused, GatewayUnknown, PaymentGateway, Setup
from services.kit.clock import Clock
from services.kit.faults import NOT_FOUND, Fault
from services.kit.ids import Ids

MOST_CARDS = 20
_RETRY_SECONDS = 2.0


@dataclass(frozen=True)
class Card:
    """A card, as far as Valv knows it. `gateway_method` is the gateway's token."""

    card_id: str
    account_id: str
    gateway_customer: str
    gateway_method: str
    brand: str
    last4: str
    exp_month: int
    exp_year: int
    create_time: datetime


@dataclass(frozen=True)
class CardSetup:
    """A set-up that was begun: ours and the gateway's id."""

    setup_id: str
    account_id: str
    gateway_customer: str
    gateway_setup: str
    create_time: datetime


class Wallet(Protocol):
    """Where cards are kept."""

    async def customer(self, account: str) -> str | None:
        """Read the gateway's id of an account's customer."""
        ...

    async def add_setup(self, setup: CardSetup) -> None:
        """Keep a set-up, and its customer when that is new."""
        ...

    async def setup(self, account: str, setup_id: str) -> CardSetup | None:
        """Read an account's set-up."""
        ...

    async def cards(self, account: str) -> Sequence[Card]:
        """Read an account's cards, newest first, without those being removed."""
        ...

    async def card_of_method(self, account: str, method: str) -> Card | None:
        """Read the card of a token."""
        ...

    async def add_card(self, card: Card) -> Card | None:
        """Keep a card; returns the one kept before when its token is known, or None when that is being removed."""
        ...

    async def begin_removal(self, account: str, card_id: str) -> Card | None:
        """Mark a card as being removed, durably; it is used no more."""
        ...

    async def end_removal(self, card: Card) -> None:
        """Forget a card."""
        ...


class Cards:
    """Adds, lists and removes cards."""

    def __init__(self, gateway: PaymentGateway, clock: Clock, ids: Ids) -> None:
        """Take the gateway, the clock and the maker of ids."""
        self._gateway = gateway
        self._clock = clock
        self._ids = ids

    async def begin(self, wallet: Wallet, account: str) -> tuple[CardSetup, Setup]:
        """Begin to add a card.

        Raises:
            Fault: GATEWAY_UNAVAILABLE.
        """
        setup_id = self._ids.new("stp")
        try:
            customer = await wallet.customer(account) or await self._gateway.create_customer(account)
            begun = await self._gateway.create_setup(customer, setup_id)
        except (GatewayUnknown, GatewayRefused) as error:
            raise Fault(GATEWAY_UNAVAILABLE, retry_after=_RETRY_SECONDS) from error
        kept = CardSetup(setup_id, account, customer, begun.setup, moment(self._clock))
        await wallet.add_setup(kept)
        return kept, begun

    async def keep(self, wallet: Wallet, account: str, setup_id: str) -> Card:
        """Keep the card of a finished set-up, once.

        Raises:
            Fault: NOT_FOUND, CARD_SETUP_UNFINISHED, TOO_MANY_CARDS or GATEWAY_UNAVAILABLE.
        """
        setup = await wallet.setup(account, setup_id)
        if setup is None:
            raise Fault(NOT_FOUND, field="setup_id")
        try:
            finished = await self._gateway.read_setup(setup.gateway_setup)
        except (GatewayUnknown, GatewayRefused) as error:
            raise Fault(GATEWAY_UNAVAILABLE, retry_after=_RETRY_SECONDS) from error
        if finished.card is None or finished.customer != setup.gateway_customer:
            raise Fault(CARD_SETUP_UNFINISHED, field="setup_id")
        kept = await wallet.card_of_method(account, finished.card.method)
        if kept is not None:
            return kept
        if len(await wallet.cards(account)) >= MOST_CARDS:
            raise Fault(TOO_MANY_CARDS)
        added = await wallet.add_card(self._card(setup, finished.card))
        if added is None:
            raise Fault(CARD_SETUP_UNFINISHED, field="setup_id")
        return added

    async def remove(self, wallet: Wallet, account: str, card_id: str) -> Card:
        """Remove a card here and at the gateway.

        Raises:
            Fault: CARD_NOT_FOUND, or CARD_REMOVAL_PENDING when the gateway has yet to be told.
        """
        card = await wallet.begin_removal(account, card_id)
        if card is None:
            raise Fault(CARD_NOT_FOUND, field="card")
        try:
            await self._gateway.detach(card.gateway_method)
        except (GatewayUnknown, GatewayRefused) as error:
            raise Fault(CARD_REMOVAL_PENDING, retry_after=_RETRY_SECONDS) from error
        await wallet.end_removal(card)
        return card

    def _card(self, setup: CardSetup, card: GatewayCard) -> Card:
        return Card(
            card_id=self._ids.new("crd"),
            account_id=setup.account_id,
            gateway_customer=setup.gateway_customer,
            gateway_method=card.method,
            brand=card.brand,
            last4=card.last4,
            exp_month=card.exp_month,
            exp_year=card.exp_year,
            create_time=moment(self._clock),
        )
