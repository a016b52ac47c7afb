"""Owns the background work that settles what a crash or a silent gateway left open: it asks, then finishes.

Runs in every replica; an operation is claimed by its version and has been left alone for its lease.
"""

import asyncio
from collections.abc import Awaitable, Sequence

from sqlalchemy.exc import SQLAlchemyError

from services.billing import store
from services.billing.books import TaskLedger
from services.billing.cards import Card
from services.billing.charges import Superseded
from services.billing.charging import Charging
from services.billing.gateway import GatewayRefused, GatewayUnknown, PaymentGateway
from services.kit.clock import Clock
from services.kit.db import Database
from services.kit.telemetry import Log

PAUSE_SECONDS = 0.5
BATCH = 16
REMOVALS_EVERY = 20


class Resolver:
    """Finishes open operations."""

    def __init__(
        self,
        database: Database,
        ledger: TaskLedger,
        charging: Charging,
        gateway: PaymentGateway,
        clock: Clock,
        log: Log,
    ) -> None:
        """Take the collaborators."""
        self._database = database
        self._ledger = ledger
        self._charging = charging
        self._gateway = gateway
        self._clock = clock
        self._log = log

    async def run(self) -> None:
        """Settle what is open, for ever."""
        turn = 0
        while True:
            try:
                settled = await self.settle(removals=turn % REMOVALS_EVERY == 0)
            except (SQLAlchemyError, OSError) as error:
                self._log.failure("a store failed", error)
                settled = 0
            turn += 1
            if settled:
                self._log.info("settled", count=settled)
            await asyncio.sleep(PAUSE_SECONDS)

    async def settle(self, *, removals: bool = True) -> int:
        """Take one turn; returns how many operations were worked on."""
        now = self._clock.now()
        async with self._database.read() as connection:
            charges = await store.charges_due(connection, now, BATCH)
            refunds = await store.refunds_due(connection, now, BATCH)
            cards = await store.removals(connection, BATCH) if removals else []
        await _all([self._charging.resume_charge(self._ledger, charge) for charge in charges])
        await _all([self._charging.resume_refund(self._ledger, refund) for refund in refunds])
        for card in cards:
            await self._remove(card)
        return len(charges) + len(refunds) + len(cards)

    async def _remove(self, card: Card) -> None:
        try:
            await self._gateway.detach(card.gateway_method)
        except (GatewayUnknown, GatewayRefused):
            return
        await self._ledger.end_removal(card)


async def _all(work: Sequence[Awaitable[object]]) -> None:
    for result in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(result, BaseException) and not isinstance(result, Superseded):
            raise result
