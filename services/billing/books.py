"""Owns the domain's places to keep things: on one call's transaction, and on the resolver's own.

Both write the record of what they commit in the same transaction. Nothing here decides.
"""

from collections.abc import Sequence
from dataclasses import replace

from services.billing import store
from services.billing.cards import Card, CardSetup
from services.billing.charges import Charge, Point, State
from services.billing.refunds import ENDED, Refund
from services.kit.call import Call
from services.kit.outbox import Outbox
from valv.audit.v1 import event_pb2


class CallWallet:
    """Cards, on a call's transaction."""

    def __init__(self, call: Call) -> None:
        """Take the call."""
        self._call = call

    async def customer(self, account: str) -> str | None:
        """Read the gateway's id of an account's customer."""
        async with self._call.read() as connection:
            return await store.customer(connection, account)

    async def add_setup(self, setup: CardSetup) -> None:
        """Keep a set-up, and its customer when that is new."""
        await store.add_setup(await self._call.tx(), setup)

    async def setup(self, account: str, setup_id: str) -> CardSetup | None:
        """Read an account's set-up."""
        async with self._call.read() as connection:
            return await store.setup(connection, account, setup_id)

    async def cards(self, account: str) -> Sequence[Card]:
        """Read an account's cards, newest first."""
        async with self._call.read() as connection:
            return await store.cards(connection, account)

    async def card_of_method(self, account: str, method: str) -> Card | None:
        """Read the card of a token."""
        async with self._call.read() as connection:
            return await store.card_of_method(connection, account, method)

    async def add_card(self, card: Card) -> Card | None:
        """Keep a card; returns the one kept before when its token is known, or None when that is being removed."""
        return await store.add_card(await self._call.tx(), card)

    async def begin_removal(self, account: str, card_id: str) -> Card | None:
        """Mark a card as being removed, durably."""
        found = await store.begin_removal(await self._call.tx(), account, card_id)
        await self._call.phase()
        return found

    async def end_removal(self, card: Card) -> None:
        """Forget a card."""
        await store.end_removal(await self._call.tx(), card)


class CallLedger:
    """Charges and refunds, on a call's transaction; what it saves last commits with the call's record.

    Everything goes over the one connection of the transaction: a second one, asked for while others wait for a lock of
    the first, could be one too many.
    """

    def __init__(self, call: Call) -> None:
        """Take the call."""
        self._call = call

    async def charge_of_key(self, merchant: str, key: str) -> Charge | None:
        """Read the charge of an idempotency key."""
        return await store.charge_of_key(await self._call.tx(), merchant, key)

    async def card(self, account: str, card_id: str) -> Card | None:
        """Read an account's card; the newest for an empty id."""
        cards = await store.cards(await self._call.tx(), account)
        return next((card for card in cards if card_id in {"", card.card_id}), None)

    async def begin_charge(self, charge: Charge) -> bool:
        """Make a new charge durable, with a record that it was asked for."""
        begun = await store.add_charge(await self._call.tx(), charge)
        if begun:
            self._call.record.object("charge", charge.charge_id)
            await self._call.phase("billing.charge.begin")
        return begun

    async def save_charge(self, charge: Charge) -> Charge:
        """Store a charge's progress: a step is durable now, the end with the call's record."""
        await store.move_charge(await self._call.tx(), charge)
        if charge.point is not Point.FINISHED and charge.state is not State.UNKNOWN:
            await self._call.phase()
        return replace(charge, version=charge.version + 1)

    async def refund_of_key(self, merchant: str, key: str) -> Refund | None:
        """Read the refund of an idempotency key."""
        return await store.refund_of_key(await self._call.tx(), merchant, key)

    async def lock_charge(self, charge_id: str) -> Charge | None:
        """Read a charge and keep others from changing it until the refund is begun."""
        return await store.lock_charge(await self._call.tx(), charge_id)

    async def begin_refund(self, refund: Refund) -> bool:
        """Make a new refund and its reservation durable, with a record that it was asked for."""
        begun = await store.add_refund(await self._call.tx(), refund)
        if begun:
            self._call.record.subject = refund.account_id
            self._call.record.object("refund", refund.refund_id)
            self._call.record.detail(amount_minor=refund.amount_minor, currency=refund.currency)
            await self._call.phase("billing.refund.begin")
        return begun

    async def save_refund(self, refund: Refund) -> Refund:
        """Store how a refund ended; commits with the call's record."""
        await store.move_refund(await self._call.tx(), refund)
        return replace(refund, version=refund.version + 1)


class TaskLedger:
    """Charges and refunds, on transactions of the resolver's own; it begins none."""

    def __init__(self, outbox: Outbox) -> None:
        """Take the outbox, whose database it is."""
        self._outbox = outbox

    async def save_charge(self, charge: Charge) -> Charge:
        """Store a charge's progress; its end with a record."""
        async with self._outbox.database.write() as connection:
            await store.move_charge(connection, charge)
            if charge.point is Point.FINISHED:
                event = self._event("billing.charge.resolve", charge.account_id, "charge", charge.charge_id)
                event.details.amount_minor, event.details.currency = charge.amount_minor, charge.currency
                event.details.state = charge.state.value
                await self._outbox.add(connection, event)
        return replace(charge, version=charge.version + 1)

    async def save_refund(self, refund: Refund) -> Refund:
        """Store a refund's progress; its end with a record."""
        async with self._outbox.database.write() as connection:
            await store.move_refund(connection, refund)
            if refund.state in ENDED:
                event = self._event("billing.refund.resolve", refund.account_id, "refund", refund.refund_id)
                event.details.amount_minor, event.details.currency = refund.amount_minor, refund.currency
                event.details.state = refund.state.value
                await self._outbox.add(connection, event)
        return replace(refund, version=refund.version + 1)

    async def end_removal(self, card: Card) -> None:
        """Forget a card, with a record."""
        async with self._outbox.database.write() as connection:
            if await store.end_removal(connection, card):
                event = self._event("billing.card.resolve", card.account_id, "card", card.card_id)
                await self._outbox.add(connection, event)

    def _event(self, action: str, subject: str, kind: str, object_id: str) -> event_pb2.Event:
        event = self._outbox.event(action)
        event.actor.kind, event.actor.id = event_pb2.Actor.KIND_SERVICE, "billing"
        event.subject = subject
        event.object.kind, event.object.id = kind, object_id
        return event
