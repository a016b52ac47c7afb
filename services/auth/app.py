"""Owns how auth is put together: the only place that knows every part."""

from __future__ import annotations

import asyncio
import secrets
from email.headerregistry import Address
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from services.auth import assertions, pepper, tables
from services.auth.addressing import Addressing
from services.auth.assembly import assemble
from services.auth.assertions import AssertionSigner
from services.auth.checks import AccountChecks
from services.auth.config import Config
from services.auth.courier import Courier
from services.auth.dossier.handlers import AccountDataHandlers
from services.auth.email_handlers import EmailHandlers
from services.auth.erasures.assembly import Leaving, leaving
from services.auth.erasures.handlers import ErasureHandlers
from services.auth.erasures.receipts import LastReceipts
from services.auth.erasures.sql import AccountTies
from services.auth.factors.handlers import FactorHandlers
from services.auth.handlers import AccountHandlers
from services.auth.hash_pool import HashPool
from services.auth.internal_handlers import SessionHandlers, WatchHandlers
from services.auth.links.handlers import LinkHandlers, LinkTokenHandlers
from services.auth.log_client import LogClient
from services.auth.mail import ERASURE_DONE, Letters
from services.auth.mail_tokens import MailTokens
from services.auth.operators.handlers import OperatorHandlers
from services.auth.operators.standing import Standings
from services.auth.own_sessions import OwnSessions
from services.auth.revocations import Broadcaster
from services.auth.security_handlers import SecurityHandlers
from services.auth.sessions import Sessions
from services.auth.smtp import Smtp
from services.auth.sql import SqlUnits
from services.auth.sql_ports import SqlUpkeep
from services.auth.stores import open_stores
from services.kit.assertion import AssertionVerifier
from services.kit.main import Application
from services.kit.storage import Storage
from services.kit.store_leaks import StoreSearch
from services.kit.watch import RevocationState
from valv.auth.v1 import (
    account_data_pb2,
    account_pb2,
    email_pb2,
    erasure_pb2,
    factor_pb2,
    link_pb2,
    operator_pb2,
    security_pb2,
    session_pb2,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from services.auth.assembly import Domain
    from services.auth.revocations import Progress
    from services.auth.store import Work
    from services.auth.stores import Stores
    from services.kit.call import Call
    from services.kit.clock import Clock
    from services.kit.main import Runtime
    from services.kit.server import Handlers
    from services.kit.telemetry import Log

_SWEEP_SECONDS = 3600.0


async def build(config: Config, runtime: Runtime) -> Application:
    """Put auth together; nothing serves yet.

    Raises:
        SchemaError: A database is not migrated.
        BreachedSetError: The set of breached passwords is not whole.
        PepperError: A key that stored passwords were made with is missing.
        SigningKeyError: There is no key to sign with.
        RootKeyError: The root key cannot be used.
    """
    clock, log = runtime.clock, runtime.log
    stores = await open_stores(config, runtime)
    peppers = await _peppers(config, stores.units)
    pool = HashPool(config.passwords.workers, config.passwords.queue)
    sessions = _sessions(config, runtime, stores)
    domain = await assemble(config, runtime, stores, peppers, pool, sessions)
    signer = _signer(config)
    state = _state(clock, signer)
    broadcaster = await _broadcaster(runtime, stores, state)
    courier = _courier(config, runtime, stores)
    ties = AccountTies(domain.links.unlinking.unlink_all, stores.keyring, stores.link_keys)
    leave = leaving(config.erasure, runtime, stores.units, ties, sessions, broadcaster)
    background = (broadcaster.run, broadcaster.listen, courier.run, domain.links.unlinking.run)
    upkeep = SqlUpkeep(stores.database)
    return Application(
        handlers=_handlers(domain, leave, runtime, sessions, signer, broadcaster, stores.work),
        storage=Storage(runtime, stores.outbox, StoreSearch(stores.database, tables.metadata)),
        verifier=AssertionVerifier(state, clock, config.public_url, config.sessions.audience),
        tasks=(*background, *leave.tasks, lambda: _sweep(upkeep, clock, log)),
        probes=(stores.database.ping, stores.keys.ping),
        closers=(pool.aclose, stores.close),
        surfaces=(lambda _chain: _Streams(broadcaster),),
        checks=AccountChecks(stores.units, sessions, peppers, clock).all(),
    )


def _signer(config: Config) -> AssertionSigner:
    keys = assertions.load(config.sessions.signing_key_file)
    return AssertionSigner(keys, config.public_url, config.sessions.audience)


def _state(clock: Clock, signer: AssertionSigner) -> RevocationState:
    made = RevocationState(clock)
    made.replace_keys(signer.jwks)
    return made


def _sessions(config: Config, runtime: Runtime, stores: Stores) -> Sessions:
    limits, activity = config.sessions.limits(), stores.shared.activity
    return Sessions(limits, runtime.clock, runtime.ids, secrets.token_bytes, activity)


def _handlers(
    domain: Domain,
    leave: Leaving,
    runtime: Runtime,
    sessions: Sessions,
    signer: AssertionSigner,
    told: Broadcaster,
    work: Callable[[Call], Work],
) -> Handlers:
    clock, factors, links = runtime.clock, domain.factors, domain.links
    standings, own = Standings(sessions, clock, runtime.ids), OwnSessions(sessions, clock)
    served: dict[tuple[ModuleType, str], object] = {
        (account_pb2, "Account"): AccountHandlers(domain.accounts, factors.steps, sessions, told, work, clock),
        (account_data_pb2, "AccountData"): AccountDataHandlers(leave.erasures, work),
        (security_pb2, "Security"): SecurityHandlers(own, domain.changes, sessions, told, work, clock),
        (email_pb2, "Email"): EmailHandlers(domain.emails, domain.changes, told, work),
        (factor_pb2, "Factor"): FactorHandlers(factors.factors, factors.removal, told, work),
        (link_pb2, "Link"): LinkHandlers(links.linking, links.unlinking, work),
        (link_pb2, "LinkToken"): LinkTokenHandlers(links.use, work, clock),
        (session_pb2, "Session"): SessionHandlers(sessions, signer, work, clock),
        (session_pb2, "Watch"): WatchHandlers(told, signer, leave.feed),
        (erasure_pb2, "Erasure"): ErasureHandlers(leave.erasures, work),
        (operator_pb2, "Operator"): OperatorHandlers(standings, leave.erasures, told, work),
    }
    return {module.DESCRIPTOR.services_by_name[f"{name}Service"]: made for (module, name), made in served.items()}


async def _broadcaster(runtime: Runtime, stores: Stores, state: RevocationState) -> Broadcaster:
    def away() -> None:
        runtime.log.warning("revocations cannot be read or told")

    made = Broadcaster(stores.units, stores.shared.fanout, runtime.clock, _feed(state), away)
    await made.load()
    return made


class _Streams:
    """Ends the streams of revocations when the process drains: they would never end by themselves."""

    listens: tuple[str, ...] = ()
    methods: frozenset[str] = frozenset()

    def __init__(self, broadcaster: Broadcaster) -> None:
        self._broadcaster = broadcaster

    async def start(self) -> None:
        """Nothing to open."""

    async def stop(self, grace: float) -> None:
        """End the streams."""
        self._broadcaster.close()


def _feed(state: RevocationState) -> Callable[[Progress], None]:
    def take(progress: Progress) -> None:
        for revocation in progress.revocations:
            state.revoke(revocation.session_id, revocation.time)
        state.heard()

    return take


def _courier(config: Config, runtime: Runtime, stores: Stores) -> Courier:
    sender = Address(config.mail.sender_name, addr_spec=config.mail.sender)
    letters = Letters(Path(__file__).parent / "templates", sender)
    tokens = MailTokens(runtime.clock, secrets.token_bytes)
    addressing = Addressing(tokens, config.public_url)
    last = LastReceipts(stores.units, LogClient(runtime.channels.get("audit")))
    return Courier(
        stores.units,
        letters,
        addressing,
        Smtp(config.mail),
        runtime.clock,
        runtime.log.warning,
        {ERASURE_DONE: last.enclosures},
    )


async def _peppers(config: Config, units: SqlUnits) -> pepper.Pepper:
    peppers = pepper.load(config.passwords.pepper_file)
    async with units.read() as store:
        used = {key_id for _, key_id, _ in await store.accounts.parameters_in_use()}
    if not all(key_id in peppers for key_id in used):
        raise pepper.PepperError("the pepper file lacks a key that stored passwords were made with")
    return peppers


async def _sweep(upkeep: SqlUpkeep, clock: Clock, log: Log) -> None:
    while True:
        try:
            await upkeep.sweep(clock.now())
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            log.failure("old rows were not dropped", error)
        await asyncio.sleep(_SWEEP_SECONDS)
