"""Billing's handlers in this process, through the kit's chain, on a real database and the sandbox gateway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from google.protobuf.message import Message
from sqlalchemy import select

import services.billing
from services.billing.books import TaskLedger
from services.billing.cards import Cards
from services.billing.charging import Charging
from services.billing.config import GatewayConfig
from services.billing.handlers import CardHandlers, ChargeHandlers, ExportHandlers, PaymentHandlers
from services.billing.resolver import Resolver
from services.billing.stripe_gateway import StripeGateway
from services.kit.assertion import Assertion
from services.kit.call import Call
from services.kit.chain import Chain
from services.kit.clock import Clock, SystemClock
from services.kit.db import Database, DatabaseConfig
from services.kit.faults import UNAUTHENTICATED, Fault
from services.kit.ids import Ids
from services.kit.migrate import migrate
from services.kit.origin import Origin
from services.kit.outbox import Outbox
from services.kit.policy import methods_of
from services.kit.refusals import Refusals
from services.kit.telemetry import Log
from services.kit.tls import Peer
from tests.support.sandbox import PUBLISHABLE, Sandbox
from valv.audit.v1 import event_pb2
from valv.billing.v1 import card_pb2, charge_pb2, export_pb2

MIGRATIONS = Path(services.billing.__file__).parent / "migrations"
CARDS = card_pb2.DESCRIPTOR.services_by_name["CardService"]
PAYMENTS = charge_pb2.DESCRIPTOR.services_by_name["PaymentService"]
CHARGES = charge_pb2.DESCRIPTOR.services_by_name["ChargeService"]
EXPORTS = export_pb2.DESCRIPTOR.services_by_name["ExportService"]
LEASE = timedelta(seconds=1)


class Verifier:
    """Takes an account's id for the token that asserts it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def verify(self, token: str) -> Assertion:
        if not token.startswith("usr_"):
            raise Fault(UNAUTHENTICATED)
        now = self._clock.now()
        later = now + timedelta(seconds=30)
        return Assertion(token, token.replace("usr_", "ses_"), now, later, later, now, ("pwd",))


@dataclass
class Desk:
    """Where customers and the shop call."""

    psp: Sandbox
    gateway: StripeGateway
    outbox: Outbox
    chain: Chain
    resolver: Resolver
    handlers: dict[Any, Any]
    clock: Clock = field(default_factory=SystemClock)

    async def call(self, service: Any, name: str, request: Message, *, role: str = "envoy", account: str = "") -> Any:
        """Call a method as a role, on behalf of an account."""
        method = next(found for found in methods_of(service) if found.name == name)
        metadata = {"x-valv-assertion": account} if account else {}
        request_id = Ids(self.clock).new("req")
        call = Call(method, Peer(role), request_id, "", Origin("192.0.2.7", "firefox/linux"), metadata)
        async with self.chain.around(call, request):
            return await getattr(self.handlers[service], name)(request, call)

    async def add_card(self, account: str, number: str = "4242424242424242") -> card_pb2.Card:
        """Add a card as a customer with a browser does."""
        setup = await self.call(CARDS, "create_card_setup", card_pb2.CreateCardSetupRequest(), account=account)
        (await self.psp.type_card(setup.client_secret, number)).raise_for_status()
        return await self.keep(account, setup.setup_id)

    async def keep(self, account: str, setup_id: str) -> card_pb2.Card:
        """Keep the card of a set-up."""
        request = card_pb2.CreateCardRequest(setup_id=setup_id)
        reply: card_pb2.CreateCardResponse = await self.call(CARDS, "create_card", request, account=account)
        return reply.card

    async def cards(self, account: str) -> list[card_pb2.Card]:
        """List an account's cards."""
        return list((await self.call(CARDS, "list_cards", card_pb2.ListCardsRequest(), account=account)).cards)

    async def delete(self, account: str, card: str) -> None:
        """Remove a card."""
        await self.call(CARDS, "delete_card", card_pb2.DeleteCardRequest(card=card), account=account)

    async def charge(self, account: str, key: str, minor: int = 1000) -> charge_pb2.Charge:
        """Charge as the shop."""
        amount = charge_pb2.Money(currency="sek", minor=minor)
        request = charge_pb2.CreateChargeRequest(
            idempotency_key=key, account_id=account, amount=amount, reference="order-1"
        )
        reply: charge_pb2.CreateChargeResponse = await self.call(CHARGES, "create_charge", request, role="shop")
        return reply.charge

    async def events(self) -> list[event_pb2.Event]:
        """Return what was recorded, oldest first."""
        async with self.outbox.database.read() as connection:
            rows = await connection.execute(select(self.outbox.table.c.event).order_by(self.outbox.table.c.id))
            return [event_pb2.Event.FromString(data) for data in rows.scalars()]


@asynccontextmanager
async def opened(url: str, psp: Sandbox) -> AsyncIterator[Desk]:
    """Open a desk on a new database for the block."""
    await asyncio.to_thread(migrate, MIGRATIONS, DatabaseConfig(url))
    clock, log = SystemClock(), Log("test")
    ids = Ids(clock)
    database = Database(DatabaseConfig(url))
    outbox = Outbox(database, clock, ids)
    gateway = psp.adapter(timeout_seconds=10)
    charging = Charging(gateway, clock, ids, LEASE)
    shown = GatewayConfig(psp.address, Path("unused"), PUBLISHABLE, f"{psp.address}/v1/elements.js", sandbox=True)
    handlers = {
        CARDS: CardHandlers(Cards(gateway, clock, ids), shown),
        PAYMENTS: PaymentHandlers(),
        CHARGES: ChargeHandlers(charging),
        EXPORTS: ExportHandlers(),
    }
    chain = Chain(clock, log, outbox, Refusals(outbox, clock, log), Verifier(clock), 64)  # type: ignore[arg-type]  # the test hands over what types forbid, or a stand-in
    resolver = Resolver(database, TaskLedger(outbox), charging, gateway, clock, log)
    yield Desk(psp, gateway, outbox, chain, resolver, handlers)
    await outbox.close()
    await gateway.close()
    await database.close()
