"""A payment gateway and a ledger in memory, where anything can fail at any moment, also the process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from services.billing.cards import Card
from services.billing.charges import Charge, Point, State, Superseded
from services.billing.charging import Charging, Order, RefundOrder
from services.billing.gateway import (
    FinishedSetup,
    GatewayRefund,
    GatewayRefused,
    GatewayUnknown,
    Intent,
    IntentStatus,
    Payment,
    RefundStatus,
    Setup,
)
from services.billing.refunds import ENDED, Refund, RefundState
from services.kit.ids import Ids
from tests.support.clock import FakeClock

ACCOUNT = "usr_01jd9xk8w0q2m3n4p5r6s7t8v9"
LEASE = timedelta(seconds=48)
CARD = Card("crd_01jd9xk8w0q2m3n4p5r6s7t8v9", ACCOUNT, "cus_a", "pm_a", "visa", "4242", 12, 2034, datetime.now(UTC))


class Mishap(StrEnum):
    """What goes wrong with one step."""

    NONE = "none"
    LOST_BEFORE = "lost_before"
    LOST_AFTER = "lost_after"
    KILLED_BEFORE = "killed_before"
    KILLED_AFTER = "killed_after"


class Killed(BaseException):
    """The process died here."""


@dataclass
class Fate:
    """Deals one mishap to each step, then none."""

    mishaps: list[Mishap] = field(default_factory=list)

    def before(self, *, gateway: bool) -> Mishap:
        """Return the next mishap, having raised it when it comes before the effect."""
        mishap = self.mishaps.pop(0) if self.mishaps else Mishap.NONE
        if mishap is Mishap.KILLED_BEFORE:
            raise Killed
        if gateway and mishap is Mishap.LOST_BEFORE:
            raise GatewayUnknown("lost")
        return mishap

    def after(self, mishap: Mishap, *, gateway: bool) -> None:
        """Raise a mishap that comes after the effect."""
        if mishap is Mishap.KILLED_AFTER:
            raise Killed
        if gateway and mishap is Mishap.LOST_AFTER:
            raise GatewayUnknown("lost")


class FakeGateway:
    """Keeps payments by operation, as gateways keep them by idempotency key."""

    def __init__(self, fate: Fate, decline: str = "") -> None:
        self.fate, self.decline = fate, decline
        self.intents: dict[str, Intent] = {}
        self.amounts: dict[str, int] = {}
        self.captures: list[str] = []
        self.refunds: dict[str, tuple[str, int]] = {}
        self.confirmed_before_committed = False
        self.committed: set[str] = set()

    def captured(self) -> int:
        return sum(self.amounts[intent] for intent in self.captures)

    def refunded(self) -> int:
        return sum(amount for _, amount in self.refunds.values())

    async def create_customer(self, account: str) -> str:
        return "cus_a"

    async def create_setup(self, customer: str, key: str) -> Setup:
        return Setup("seti_a", "seti_a_secret_b")

    async def read_setup(self, setup: str) -> FinishedSetup:
        return FinishedSetup("cus_a", None)

    async def detach(self, method: str) -> None:
        self.fate.after(self.fate.before(gateway=True), gateway=True)

    async def create_intent(self, payment: Payment) -> Intent:
        mishap = self.fate.before(gateway=True)
        intent = self.intents.setdefault(payment.operation, Intent("pi_" + payment.operation, IntentStatus.OPEN))
        self.amounts[intent.intent] = payment.amount_minor
        self.fate.after(mishap, gateway=True)
        return intent

    async def find_intent(self, operation: str) -> Intent | None:
        self.fate.after(self.fate.before(gateway=True), gateway=True)
        return self.intents.get(operation)

    async def confirm_intent(self, intent: str, key: str) -> Intent:
        mishap = self.fate.before(gateway=True)
        self.confirmed_before_committed |= intent not in self.committed
        now = self._get(intent)
        if now.status is IntentStatus.OPEN:
            if self.decline:
                now = replace(now, status=IntentStatus.DECLINED, decline_code=self.decline)
            else:
                now = replace(now, status=IntentStatus.SUCCEEDED)
                self.captures.append(intent)
            self.intents[intent.removeprefix("pi_")] = now
        self.fate.after(mishap, gateway=True)
        return now

    async def read_intent(self, intent: str) -> Intent:
        self.fate.after(self.fate.before(gateway=True), gateway=True)
        return self._get(intent)

    async def cancel_intent(self, intent: str) -> Intent:
        mishap = self.fate.before(gateway=True)
        now = self._get(intent)
        if now.status is IntentStatus.OPEN:
            now = self.intents[intent.removeprefix("pi_")] = replace(now, status=IntentStatus.CANCELED)
        self.fate.after(mishap, gateway=True)
        return now

    async def refund(self, intent: str, amount_minor: int, operation: str) -> GatewayRefund:
        mishap = self.fate.before(gateway=True)
        if operation not in self.refunds:
            if self.refunded() + amount_minor > self.captured():
                raise GatewayRefused("amount_too_large")
            self.refunds[operation] = (intent, amount_minor)
        self.fate.after(mishap, gateway=True)
        return GatewayRefund("re_" + operation, RefundStatus.SUCCEEDED)

    async def find_refund(self, intent: str, operation: str) -> GatewayRefund | None:
        self.fate.after(self.fate.before(gateway=True), gateway=True)
        known = self.refunds.get(operation)
        return None if known is None else GatewayRefund("re_" + operation, RefundStatus.SUCCEEDED)

    def _get(self, intent: str) -> Intent:
        return self.intents[intent.removeprefix("pi_")]


class FakeLedger:
    """Rows in memory, with the versions, the uniqueness and the bound that the real one has."""

    def __init__(self, fate: Fate, gateway: FakeGateway) -> None:
        self.fate, self.gateway = fate, gateway
        self.charges: dict[str, Charge] = {}
        self.refunds: dict[str, Refund] = {}

    async def charge_of_key(self, merchant: str, key: str) -> Charge | None:
        found = (row for row in self.charges.values() if (row.merchant, row.idempotency_key) == (merchant, key))
        return next(found, None)

    async def card(self, account: str, card_id: str) -> Card | None:
        return CARD if account == ACCOUNT and card_id in {"", CARD.card_id} else None

    async def begin_charge(self, charge: Charge) -> bool:
        mishap = self.fate.before(gateway=False)
        if await self.charge_of_key(charge.merchant, charge.idempotency_key) is not None:
            return False
        self.charges[charge.charge_id] = charge
        self.fate.after(mishap, gateway=False)
        return True

    async def save_charge(self, charge: Charge) -> Charge:
        mishap = self.fate.before(gateway=False)
        if self.charges[charge.charge_id].version != charge.version:
            raise Superseded
        saved = replace(charge, version=charge.version + 1)
        self.charges[charge.charge_id] = saved
        if saved.intent:
            self.gateway.committed.add(saved.intent)
        self.fate.after(mishap, gateway=False)
        return saved

    async def refund_of_key(self, merchant: str, key: str) -> Refund | None:
        found = (row for row in self.refunds.values() if (row.merchant, row.idempotency_key) == (merchant, key))
        return next(found, None)

    async def lock_charge(self, charge_id: str) -> Charge | None:
        return self.charges.get(charge_id)

    async def begin_refund(self, refund: Refund) -> bool:
        mishap = self.fate.before(gateway=False)
        charge = self.charges[refund.charge_id]
        if charge.reserved_minor + refund.amount_minor > charge.amount_minor:
            return False
        self.charges[charge.charge_id] = replace(charge, reserved_minor=charge.reserved_minor + refund.amount_minor)
        self.refunds[refund.refund_id] = refund
        self.fate.after(mishap, gateway=False)
        return True

    async def save_refund(self, refund: Refund) -> Refund:
        mishap = self.fate.before(gateway=False)
        if self.refunds[refund.refund_id].version != refund.version:
            raise Superseded
        saved = self.refunds[refund.refund_id] = replace(refund, version=refund.version + 1)
        charge = self.charges[refund.charge_id]
        if saved.state is RefundState.SUCCEEDED:
            charge = replace(charge, refunded_minor=charge.refunded_minor + saved.amount_minor)
        elif saved.state is RefundState.FAILED:
            charge = replace(charge, reserved_minor=charge.reserved_minor - saved.amount_minor)
        self.charges[charge.charge_id] = charge
        self.fate.after(mishap, gateway=False)
        return saved


class World:
    """All of it, and the passing of time until everything is settled."""

    def __init__(self, mishaps: Sequence[Mishap] = (), decline: str = "") -> None:
        self.fate = Fate(list(mishaps))
        self.clock = FakeClock()
        self.gateway = FakeGateway(self.fate, decline)
        self.ledger = FakeLedger(self.fate, self.gateway)
        self.charging = Charging(self.gateway, self.clock, Ids(self.clock), LEASE)

    async def charge(self, key: str = "k", amount: int = 1000) -> Charge:
        return await self.charging.charge(self.ledger, Order("shop", key, ACCOUNT, "", amount, "sek", "order-1"))

    async def refund(self, charge: Charge, key: str = "r", amount: int = 0) -> Refund:
        return await self.charging.refund(self.ledger, RefundOrder("shop", key, charge.charge_id, amount))

    async def settle(self) -> None:
        """Let leases and pauses pass, resuming what is due; a process that dies is started again."""
        for _ in range(200):
            self.clock.advance(60)
            open_charges = [row for row in self.ledger.charges.values() if row.point is not Point.FINISHED]
            open_refunds = [row for row in self.ledger.refunds.values() if row.state not in ENDED]
            if not open_charges and not open_refunds:
                return
            try:
                for charge in open_charges:
                    if charge.due <= self.clock.now():
                        await self.charging.resume_charge(self.ledger, charge)
                for refund in open_refunds:
                    if refund.due <= self.clock.now():
                        await self.charging.resume_refund(self.ledger, refund)
            except Killed:
                continue
        raise AssertionError("it never settled")

    def only_charge(self) -> Charge:
        (charge,) = self.ledger.charges.values()
        return charge


def is_settled(charge: Charge) -> bool:
    """Tell whether a charge's outcome is known."""
    return charge.state in {State.SUCCEEDED, State.DECLINED}
