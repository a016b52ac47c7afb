"""Owns what it means to ask for a charge or a refund: keys, content, who may ask. Knows no SQL, vendor or transport."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol

from services.billing.cards import Card
from services.billing.charges import Charge, ChargeMachine, Point, State, Superseded, fingerprint, moment
from services.billing.errors import (
    CARD_NOT_FOUND,
    CHARGE_NOT_FOUND,
    CHARGE_NOT_REFUNDABLE,
    IDEMPOTENCY_MISMATCH,
    OPERATION_IN_PROGRESS,
    REFUND_EXCEEDS_CHARGE,
)
from services.billing.gateway import PaymentGateway
from services.billing.refunds import ENDED, Refund, RefundMachine, RefundState
from services.kit.clock import Clock
from services.kit.faults import Fault
from services.kit.ids import Ids

_RETRY_SECONDS = 1.0


@dataclass(frozen=True)
class Order:
    """A charge that a service asks for. An empty card means the customer's newest."""

    merchant: str
    idempotency_key: str
    account_id: str
    card_id: str
    amount_minor: int
    currency: str
    reference: str

    def fingerprint(self) -> str:
        """Digest what is asked for."""
        return fingerprint(self.account_id, self.card_id, str(self.amount_minor), self.currency, self.reference)


@dataclass(frozen=True)
class RefundOrder:
    """A refund that a service asks for. An amount of 0 means all that is left."""

    merchant: str
    idempotency_key: str
    charge_id: str
    amount_minor: int

    def fingerprint(self) -> str:
        """Digest what is asked for."""
        return fingerprint(self.charge_id, str(self.amount_minor))


class Saver(Protocol):
    """Where the progress of charges and refunds is kept."""

    async def save_charge(self, charge: Charge) -> Charge:
        """Make a charge's progress durable. Raises Superseded."""
        ...

    async def save_refund(self, refund: Refund) -> Refund:
        """Make a refund's progress durable. Raises Superseded."""
        ...


class Ledger(Saver, Protocol):
    """Where charges and refunds are kept."""

    async def charge_of_key(self, merchant: str, key: str) -> Charge | None:
        """Read the charge of an idempotency key."""
        ...

    async def card(self, account: str, card_id: str) -> Card | None:
        """Read an account's card; the newest for an empty id."""
        ...

    async def begin_charge(self, charge: Charge) -> bool:
        """Make a new charge durable; tells whether its key was new."""
        ...

    async def refund_of_key(self, merchant: str, key: str) -> Refund | None:
        """Read the refund of an idempotency key."""
        ...

    async def lock_charge(self, charge_id: str) -> Charge | None:
        """Read a charge and keep others from changing it until the refund is begun."""
        ...

    async def begin_refund(self, refund: Refund) -> bool:
        """Make a new refund and its reservation durable; tells whether enough was left."""
        ...


class Charging:
    """Charges and refunds, once per key."""

    def __init__(self, gateway: PaymentGateway, clock: Clock, ids: Ids, lease: timedelta) -> None:
        """Take the collaborators; `lease` is longer than a call can work on an operation."""
        self._charges = ChargeMachine(gateway, clock)
        self._refunds = RefundMachine(gateway, clock)
        self._clock = clock
        self._ids = ids
        self._lease = lease

    async def charge(self, ledger: Ledger, order: Order) -> Charge:
        """Charge once per key; asked again, return the same charge.

        Raises:
            Fault: CARD_NOT_FOUND, IDEMPOTENCY_MISMATCH, or OPERATION_IN_PROGRESS while the first call is under way.
        """
        kept = await ledger.charge_of_key(order.merchant, order.idempotency_key)
        if kept is None:
            card = await ledger.card(order.account_id, order.card_id)
            if card is None:
                raise Fault(CARD_NOT_FOUND, field="card_id")
            charge = self._new_charge(order, card)
            if await ledger.begin_charge(charge):
                try:
                    return await self._charges.run(charge, ledger.save_charge, resumed=False)
                except Superseded:
                    raise Fault(OPERATION_IN_PROGRESS, retry_after=_RETRY_SECONDS) from None
            kept = await ledger.charge_of_key(order.merchant, order.idempotency_key)
        if kept is None or kept.fingerprint != order.fingerprint():
            raise Fault(IDEMPOTENCY_MISMATCH, field="idempotency_key")
        if kept.point is not Point.FINISHED and kept.state is not State.UNKNOWN:
            raise Fault(OPERATION_IN_PROGRESS, retry_after=_RETRY_SECONDS)
        return kept

    async def refund(self, ledger: Ledger, order: RefundOrder) -> Refund:
        """Refund once per key; asked again, return the same refund.

        Raises:
            Fault: CHARGE_NOT_FOUND, CHARGE_NOT_REFUNDABLE, REFUND_EXCEEDS_CHARGE, IDEMPOTENCY_MISMATCH, or
                OPERATION_IN_PROGRESS while the first call is under way.
        """
        kept = await ledger.refund_of_key(order.merchant, order.idempotency_key)
        if kept is None:
            charge = await ledger.lock_charge(order.charge_id)
            if charge is None or charge.merchant != order.merchant:
                raise Fault(CHARGE_NOT_FOUND, field="charge_id")
            kept = await ledger.refund_of_key(order.merchant, order.idempotency_key)
            if kept is None:
                return await self._begin_refund(ledger, order, charge)
        if kept.fingerprint != order.fingerprint():
            raise Fault(IDEMPOTENCY_MISMATCH, field="idempotency_key")
        if kept.state not in {*ENDED, RefundState.UNKNOWN}:
            raise Fault(OPERATION_IN_PROGRESS, retry_after=_RETRY_SECONDS)
        return kept

    async def _begin_refund(self, ledger: Ledger, order: RefundOrder, charge: Charge) -> Refund:
        if charge.state is not State.SUCCEEDED:
            raise Fault(CHARGE_NOT_REFUNDABLE, field="charge_id")
        amount = order.amount_minor or charge.amount_minor - charge.reserved_minor
        refund = self._new_refund(order, charge, amount)
        if amount == 0 or not await ledger.begin_refund(refund):
            raise Fault(REFUND_EXCEEDS_CHARGE, field="amount_minor")
        try:
            return await self._refunds.run(refund, ledger.save_refund, resumed=False)
        except Superseded:
            raise Fault(OPERATION_IN_PROGRESS, retry_after=_RETRY_SECONDS) from None

    async def resume_charge(self, saver: Saver, charge: Charge) -> Charge:
        """Take over a charge that nobody works on, and ask what became of it. Raises Superseded."""
        claimed = await saver.save_charge(replace(charge, due=self._clock.now() + self._lease))
        return await self._charges.run(claimed, saver.save_charge, resumed=True)

    async def resume_refund(self, saver: Saver, refund: Refund) -> Refund:
        """Take over a refund that nobody works on, and ask what became of it. Raises Superseded."""
        claimed = await saver.save_refund(replace(refund, due=self._clock.now() + self._lease))
        return await self._refunds.run(claimed, saver.save_refund, resumed=True)

    def _new_charge(self, order: Order, card: Card) -> Charge:
        now = moment(self._clock)
        return Charge(
            charge_id=self._ids.new("chg"),
            merchant=order.merchant,
            account_id=order.account_id,
            card_id=card.card_id,
            last4=card.last4,
            amount_minor=order.amount_minor,
            currency=order.currency,
            reference=order.reference,
            idempotency_key=order.idempotency_key,
            fingerprint=order.fingerprint(),
            gateway_customer=card.gateway_customer,
            gateway_method=card.gateway_method,
            create_time=now,
            due=now + self._lease,
        )

    def _new_refund(self, order: RefundOrder, charge: Charge, amount_minor: int) -> Refund:
        now = moment(self._clock)
        return Refund(
            refund_id=self._ids.new("rfd"),
            charge_id=charge.charge_id,
            merchant=order.merchant,
            account_id=charge.account_id,
            amount_minor=amount_minor,
            currency=charge.currency,
            intent=charge.intent,
            idempotency_key=order.idempotency_key,
            fingerprint=order.fingerprint(),
            create_time=now,
            due=now + self._lease,
        )
