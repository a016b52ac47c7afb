"""Owns the composition of billing: the only place that knows every part."""

from datetime import UTC, date, datetime, timedelta
from typing import Protocol

from services.billing import egress, sql
from services.billing.books import TaskLedger
from services.billing.cards import Cards
from services.billing.charging import Charging
from services.billing.checks import checks
from services.billing.config import Config, GatewayConfig
from services.billing.erasure import Eraser
from services.billing.handlers import CardHandlers, ChargeHandlers, ExportHandlers, PaymentHandlers
from services.billing.resolver import Resolver
from services.billing.stripe_gateway import StripeGateway
from services.kit.assertion import AssertionVerifier
from services.kit.db import Database
from services.kit.erasure import Follower
from services.kit.main import Application, Runtime
from services.kit.outbox import Outbox
from services.kit.secret import Secret
from services.kit.server import Handlers
from services.kit.storage import Storage
from services.kit.store_leaks import StoreSearch
from services.kit.watch import RevocationState, Watch
from valv.auth.v1 import session_pb2
from valv.billing.v1 import card_pb2, charge_pb2, export_pb2

REVISION = "0002"
AUDIENCE = "valv"
LEASE_REQUESTS = 6
"""A call makes at most so many requests to the gateway; none may work on an operation for longer."""
ATTESTED_WITHIN = timedelta(days=365)


class Warns(Protocol):
    """A log that takes warnings."""

    def warning(self, name: str, **fields: object) -> None:
        """Write a line about something that should not last."""
        ...


async def build(config: Config, runtime: Runtime) -> Application:
    """Compose billing.

    Raises:
        SchemaError: The database needs its migrations.
    """
    clock, ids = runtime.clock, runtime.ids
    database = Database(config.database)
    await database.require_revision(REVISION)
    outbox = Outbox(database, clock, ids)
    sessions = RevocationState(clock)
    gateway = _gateway(config.gateway, runtime)
    charging = Charging(gateway, clock, ids, timedelta(seconds=LEASE_REQUESTS * config.gateway.timeout_seconds))
    ledger = TaskLedger(outbox)
    eraser = Eraser(outbox, ledger, gateway, clock, config.statutory)
    follower = await _follower(database, eraser, runtime)
    resolver = Resolver(database, ledger, charging, gateway, clock, runtime.log)
    warn_of_attestation(config.gateway, clock.now(), runtime.log)

    async def followed() -> None:
        sessions.require_fresh()

    return Application(
        handlers=_handlers(CardHandlers(Cards(gateway, clock, ids), config.gateway), ChargeHandlers(charging)),
        storage=Storage(runtime, outbox, StoreSearch(database, sql.metadata)),
        verifier=AssertionVerifier(sessions, clock, config.public_url, AUDIENCE),
        tasks=(
            *(Watch(runtime.channels.get("auth"), sessions, clock, follower).run, follower.run),
            *(resolver.run, lambda: eraser.run(runtime.log)),
        ),
        probes=(database.ping, followed),
        closers=(gateway.close, database.close),
        checks=tuple(checks(lambda: _handshake(config.gateway), _attested(config.gateway), clock)),
    )


async def _handshake(config: GatewayConfig) -> egress.Handshake:
    return await egress.handshake(config.address, config.ca_bundle)


def _attested(config: GatewayConfig) -> date | None:
    """The sandbox is attested by nobody."""
    return None if config.sandbox else config.attested


async def _follower(database: Database, eraser: Eraser, runtime: Runtime) -> Follower:
    auth = runtime.channels.get("auth")
    made = Follower(database, auth, eraser.erase, session_pb2.ERASURE_PHASE_DATA, runtime.log)
    await made.load()
    return made


def _handlers(cards: CardHandlers, charges: ChargeHandlers) -> Handlers:
    return {
        card_pb2.DESCRIPTOR.services_by_name["CardService"]: cards,
        charge_pb2.DESCRIPTOR.services_by_name["PaymentService"]: PaymentHandlers(),
        charge_pb2.DESCRIPTOR.services_by_name["ChargeService"]: charges,
        export_pb2.DESCRIPTOR.services_by_name["ExportService"]: ExportHandlers(),
    }


def _gateway(config: GatewayConfig, runtime: Runtime) -> StripeGateway:
    client = egress.Egress(runtime.clock, egress.client_context(config.ca_bundle), config.timeout_seconds)
    return StripeGateway(config.address, Secret(config.secret_key_file.read_bytes().strip()), client, runtime.log)


def warn_of_attestation(config: GatewayConfig, now: datetime, log: Warns) -> None:
    """Say at start when nobody has looked for a year whether the gateway is PCI certified (promise P12)."""
    if config.sandbox:
        return
    attested = config.attested
    if attested is None or now - datetime(attested.year, attested.month, attested.day, tzinfo=UTC) > ATTESTED_WITHIN:
        log.warning("the gateway's attestation is absent or older than 12 months")
