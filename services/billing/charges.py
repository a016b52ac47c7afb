"""Owns the state machine of a charge: money is taken exactly once, whatever fails. Knows no SQL and no vendor.

    started ── create the payment, commit its id ──▶ intent_created ── confirm, commit the outcome ──▶ finished

A payment is the gateway's own lock: it takes money at most once, however often it is confirmed. No step confirms a
payment whose id is not committed here, and whoever resumes a charge asks the gateway before doing anything.
"""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from services.billing.gateway import (
    GatewayRefused,
    GatewayUnknown,
    Intent,
    IntentStatus,
    Payment,
    PaymentGateway,
)
from services.kit.clock import Clock

HORIZON = timedelta(hours=1)
"""A charge that took no money within this time is given up: nobody is charged long after they asked."""
ABANDONED = "abandoned"
MOST_MINOR = 99_999_999
_ATTEMPTS = 2
_FIRST_PAUSE = timedelta(seconds=1)
_LONGEST_PAUSE = timedelta(minutes=5)


class Point(StrEnum):
    """What has been committed."""

    STARTED = "started"
    INTENT_CREATED = "intent_created"
    FINISHED = "finished"


class State(StrEnum):
    """What the charge looks like to those who ask."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    DECLINED = "declined"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Charge:
    """A charge.

    Attributes:
        charge_id: `chg_...`; also the operation that the gateway keeps with its payment.
        merchant: Role of the service that charges.
        fingerprint: Digest of what was asked under the idempotency key.
        gateway_customer: The customer at the gateway.
        gateway_method: The card at the gateway.
        intent: The payment at the gateway; empty until committed.
        refunded_minor: What was given back.
        reserved_minor: What was given back or is being given back.
        version: Grows with each change; a stale one cannot be saved.
        due: Until then whoever works on it has it to themselves; after it anyone may resume it.
    """

    charge_id: str
    merchant: str
    account_id: str
    card_id: str
    last4: str
    amount_minor: int
    currency: str
    reference: str
    idempotency_key: str
    fingerprint: str
    gateway_customer: str
    gateway_method: str
    create_time: datetime
    due: datetime
    point: Point = Point.STARTED
    state: State = State.PENDING
    intent: str = ""
    decline_code: str = ""
    refunded_minor: int = 0
    reserved_minor: int = 0
    version: int = 1


Save = Callable[[Charge], Awaitable[Charge]]
"""Makes a charge durable, or raises `Superseded` when somebody else has moved it on."""


class Superseded(Exception):  # noqa: N818 - what happened, not an error
    """Somebody else has moved it on in the meantime."""


def fingerprint(*content: str) -> str:
    """Digest what was asked, so that a key used for something else is found."""
    digest = hashlib.sha256()
    for part in content:
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(4, "big") + encoded)
    return digest.hexdigest()


def moment(clock: Clock) -> datetime:
    """Return the time as it is kept: in whole milliseconds."""
    now = clock.now()
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def pause(age: timedelta) -> timedelta:
    """Return how long to wait before asking again about something this old: as long again, within bounds."""
    return min(max(age, _FIRST_PAUSE), _LONGEST_PAUSE)


class ChargeMachine:
    """Drives charges."""

    def __init__(self, gateway: PaymentGateway, clock: Clock) -> None:
        """Take the gateway and the clock."""
        self._gateway = gateway
        self._clock = clock

    async def run(self, charge: Charge, save: Save, *, resumed: bool) -> Charge:
        """Drive a charge as far as it goes now; each step is saved before the next.

        Returns:
            The charge: finished, or in state UNKNOWN with the time from which to ask again.

        Raises:
            Superseded: Somebody else has it.
        """
        attempts = _ATTEMPTS
        while charge.point is not Point.FINISHED:
            try:
                charge = await save(await self._step(charge, resumed=resumed))
            except GatewayUnknown:
                resumed, attempts = True, attempts - 1
                if attempts == 0:
                    now = self._clock.now()
                    due = now + pause(now - charge.create_time)
                    return await save(replace(charge, state=State.UNKNOWN, due=due))
        return charge

    async def _step(self, charge: Charge, *, resumed: bool) -> Charge:
        if charge.point is Point.STARTED:
            return await self._create(charge)
        try:
            return _settled(charge, await self._take(charge, resumed=resumed))
        except GatewayRefused as refused:
            return _finished(charge, State.DECLINED, refused.code)

    async def _create(self, charge: Charge) -> Charge:
        if self._given_up(charge):
            orphan = await self._gateway.find_intent(charge.charge_id)
            if orphan is not None:
                await self._gateway.cancel_intent(orphan.intent)
            return _finished(charge, State.DECLINED, ABANDONED)
        payment = Payment(
            charge.charge_id, charge.gateway_customer, charge.gateway_method, charge.amount_minor, charge.currency
        )
        try:
            intent = await self._gateway.create_intent(payment)
        except GatewayRefused as refused:
            return _finished(charge, State.DECLINED, refused.code)
        return replace(charge, point=Point.INTENT_CREATED, intent=intent.intent)

    async def _take(self, charge: Charge, *, resumed: bool) -> Intent:
        if resumed:
            intent = await self._gateway.read_intent(charge.intent)
            if intent.status is not IntentStatus.OPEN:
                return intent
            if self._given_up(charge):
                return await self._gateway.cancel_intent(charge.intent)
        return await self._gateway.confirm_intent(charge.intent, charge.charge_id)

    def _given_up(self, charge: Charge) -> bool:
        return self._clock.now() - charge.create_time > HORIZON


def _settled(charge: Charge, intent: Intent) -> Charge:
    if intent.status is IntentStatus.SUCCEEDED:
        return _finished(charge, State.SUCCEEDED, "")
    if intent.status is IntentStatus.DECLINED:
        return _finished(charge, State.DECLINED, intent.decline_code)
    if intent.status is IntentStatus.CANCELED:
        return _finished(charge, State.DECLINED, ABANDONED)
    raise GatewayUnknown(intent.status)


def _finished(charge: Charge, state: State, decline_code: str) -> Charge:
    return replace(charge, point=Point.FINISHED, state=state, decline_code=decline_code)
