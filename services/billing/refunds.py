"""Owns the state machine of a refund: given back once, never more than was captured. Knows no SQL and no vendor.

The amount is reserved on the charge in the transaction that begins the refund, so that refunds of one moment share
what is left. Whoever resumes a refund asks the gateway for it first; it is repeated only under the same key, within
the time the gateway keeps keys, and after that it has failed and the reservation is released.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from services.billing.charges import ABANDONED, pause
from services.billing.gateway import GatewayRefund, GatewayRefused, GatewayUnknown, PaymentGateway, RefundStatus
from services.kit.clock import Clock

KEY_WINDOW = timedelta(hours=23)
"""Gateways keep idempotency keys for 24 hours (https://docs.stripe.com/api/idempotent_requests)."""
_ATTEMPTS = 2


class RefundState(StrEnum):
    """Where a refund stands."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"


ENDED = frozenset({RefundState.SUCCEEDED, RefundState.FAILED})


@dataclass(frozen=True)
class Refund:
    """A refund; the fields are those of a charge."""

    refund_id: str
    charge_id: str
    merchant: str
    account_id: str
    amount_minor: int
    currency: str
    intent: str
    idempotency_key: str
    fingerprint: str
    create_time: datetime
    due: datetime
    state: RefundState = RefundState.PENDING
    failure_code: str = ""
    version: int = 1


SaveRefund = Callable[[Refund], Awaitable[Refund]]


class RefundMachine:
    """Drives refunds."""

    def __init__(self, gateway: PaymentGateway, clock: Clock) -> None:
        """Take the gateway and the clock."""
        self._gateway = gateway
        self._clock = clock

    async def run(self, refund: Refund, save: SaveRefund, *, resumed: bool) -> Refund:
        """Drive a refund as far as it goes now.

        Returns:
            The refund: ended, or in state UNKNOWN with the time from which to ask again.

        Raises:
            Superseded: Somebody else has it.
        """
        for _ in range(_ATTEMPTS):
            try:
                return await save(await self._step(refund, resumed=resumed))
            except GatewayUnknown:
                resumed = True
        now = self._clock.now()
        return await save(replace(refund, state=RefundState.UNKNOWN, due=now + pause(now - refund.create_time)))

    async def _step(self, refund: Refund, *, resumed: bool) -> Refund:
        found = await self._gateway.find_refund(refund.intent, refund.refund_id) if resumed else None
        if found is None and self._clock.now() - refund.create_time > KEY_WINDOW:
            return replace(refund, state=RefundState.FAILED, failure_code=ABANDONED)
        if found is None:
            try:
                found = await self._gateway.refund(refund.intent, refund.amount_minor, refund.refund_id)
            except GatewayRefused as refused:
                return replace(refund, state=RefundState.FAILED, failure_code=refused.code)
        return _settled(refund, found)


def _settled(refund: Refund, found: GatewayRefund) -> Refund:
    if found.status is RefundStatus.SUCCEEDED:
        return replace(refund, state=RefundState.SUCCEEDED)
    if found.status is RefundStatus.FAILED:
        return replace(refund, state=RefundState.FAILED, failure_code="failed")
    raise GatewayUnknown(found.status)
