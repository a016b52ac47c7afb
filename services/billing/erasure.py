"""Owns the erasure of a customer in billing: cards, here and at the gateway, at once; charges when the law lets go.

Charges and refunds are records that bookkeeping law demands. They name a customer by an opaque id only, and are deleted
when their time is over. Safe to repeat.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from services.billing import erased
from services.billing.cards import Card
from services.billing.gateway import GatewayRefused, GatewayUnknown, PaymentGateway
from services.kit.clock import Clock
from services.kit.erasure import Blocked, Cause, EraseAway, Erased, event_of
from services.kit.outbox import Outbox
from services.kit.telemetry import Log

SWEEP_SECONDS = 3600.0
BATCH = 50


@dataclass(frozen=True)
class StatutoryConfig:
    """How many days records of payments must be kept after the latest: eight years hold seven from a year's end."""

    keep_days: int = 2922

    def __post_init__(self) -> None:
        """Refuse a time that is none."""
        if self.keep_days < 0:
            raise ValueError("keep_days is at least 0")


class Forgetting(Protocol):
    """Ends the removal of a card, with a record."""

    async def end_removal(self, card: Card) -> None:
        """Forget a card."""
        ...


class Eraser:
    """Erases all that is kept of a customer, but for what must be kept."""

    def __init__(
        self, outbox: Outbox, ledger: Forgetting, gateway: PaymentGateway, clock: Clock, config: StatutoryConfig
    ) -> None:
        """Take the collaborators; the outbox's database is billing's."""
        self._outbox, self._ledger, self._gateway = outbox, ledger, gateway
        self._clock, self._keep = clock, timedelta(days=config.keep_days)

    async def erase(self, account: str) -> Erased:
        """Erase; returns the event that records it and the records that had to be kept.

        Raises:
            EraseAway: The gateway has yet to be told of a card.
        """
        database = self._outbox.database
        async with database.write() as connection:
            cards = await erased.begin_removals(connection, account)
        for card in cards:
            try:
                await self._gateway.detach(card.gateway_method)
            except (GatewayUnknown, GatewayRefused) as error:
                raise EraseAway from error
            await self._ledger.end_removal(card)
        async with database.write() as connection:
            gone = await erased.forget_customer(connection, account)
            records = await erased.records_of(connection, account)
            until = records.latest + self._keep if records.latest else None
            if until is not None:
                await erased.keep_until(connection, account, until)
            event = event_of(self._outbox, "billing", account, len(cards) + gone)
            await self._outbox.add(connection, event)
        kept = (("charge", records.charges), ("refund", records.refunds))
        return Erased(event.event_id, [Blocked(kind, count, Cause.STATUTORY, until) for kind, count in kept if count])

    async def release(self) -> int:
        """Delete the records of erased customers that need not be kept any longer; returns of how many customers."""
        async with self._outbox.database.write() as connection:
            accounts = await erased.due(connection, self._clock.now(), BATCH)
            for account in accounts:
                count = await erased.forget_records(connection, account)
                event = event_of(self._outbox, "billing", account, count)
                event.action = "billing.account.release"
                await self._outbox.add(connection, event)
        return len(accounts)

    async def run(self, log: Log) -> None:
        """Delete what is due, for ever."""
        while True:
            try:
                await self.release()
            except Exception as error:  # noqa: BLE001 - whatever it is, the records are looked at again
                log.failure("old records were not deleted", error)
            await asyncio.sleep(SWEEP_SECONDS)
