"""Owns how auth is put together: the only place that knows every part."""

from __future__ import annotations

import asyncio
import random
import secrets
from dataclasses import dataclass
from email.headerregistry import Address
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from services.auth import assertions, pepper, tables
from services.auth.accounts import Accounts
from services.auth.addressing import Addressing
from services.auth.arrivals import Arrivals
from services.auth.assertions import AssertionSigner
from services.auth.breached import RangeDirectory, SortedFile
from services.auth.checks import AccountChecks
from services.auth.config import Config
from services.auth.courier import Courier
from services.auth.devices import Devices
from services.auth.dossier.handlers import AccountDataHandlers
from services.auth.email_changes import EmailChanges
from services.auth.email_handlers import EmailHandlers
from services.auth.erasures.assembly import Leaving, leaving
from services.auth.erasures.feed import ErasureFeed
from services.auth.erasures.handlers import ErasureHandlers
from services.auth.erasures.receipts import LastReceipts
from services.auth.erasures.sql import AccountTies
from services.auth.factors.assembly import Assembled, Surroundings, assemble
from services.auth.factors.handlers import FactorHandlers
from services.auth.handlers import AccountHandlers
from services.auth.hash_pool import HashPool
from services.auth.internal_handlers import SessionHandlers, WatchHandlers
from services.auth.links import assembly as links
from services.auth.links.grants import PURPOSE as LINKS_KEYS
from services.auth.links.handlers import LinkHandlers, LinkTokenHandlers
from services.auth.log_client import LogClient
from services.auth.mail import ERASURE_DONE, Letters
from services.auth.mail_tokens import MailTokens
from services.auth.operators.handlers import OperatorHandlers
from services.auth.operators.standing import Standings
from services.auth.own_sessions import OwnSessions
from services.auth.password_changes import PasswordChanges
from services.auth.password_policy import PasswordPolicy
from services.auth.passwords import Passwords
from services.auth.replicas import Replicas
from services.auth.revocations import Broadcaster
from services.auth.security_handlers import SecurityHandlers
from services.auth.sessions import Sessions
from services.auth.smtp import Smtp
from services.auth.sql import SqlUnits, SqlWork
from services.auth.sql_counters import SqlDecoy
from services.auth.sql_ports import SqlUpkeep
from services.auth.throttle import Throttle
from services.kit.assertion import AssertionVerifier
from services.kit.db import Database
from services.kit.envelope import FileRootKey, RootKeyError
from services.kit.keyring import Keyring
from services.kit.leaks import StoreSearch
from services.kit.main import Application
from services.kit.outbox import Outbox
from services.kit.telemetry import trace_engine
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

    from google.protobuf.descriptor import ServiceDescriptor

    from services.auth.breached import BreachedSet
    from services.auth.revocations import Progress
    from services.auth.store import Work
    from services.kit.call import Call
    from services.kit.clock import Clock
    from services.kit.main import Runtime
    from services.kit.server import Handlers
    from services.kit.telemetry import Log

REVISION = "0007"
KEYS_REVISION = "0001"
_SWEEP_SECONDS = 3600.0
_RANDOM = random.SystemRandom()


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
    stores = await _open(config, runtime)
    peppers = await _peppers(config, stores.units)
    pool = HashPool(config.passwords.workers, config.passwords.queue)
    sessions = _sessions(config, runtime, stores)
    domain = await _domain(config, runtime, stores, peppers, pool, sessions)
    signer = _signer(config)
    state = _state(clock, signer)
    broadcaster = await _broadcaster(runtime, stores, state)
    courier = _courier(config, runtime, stores)
    ties = AccountTies(domain.links.unlinking.unlink_all, stores.keyring, stores.link_keys)
    leave = leaving(config.erasure, runtime, stores.units, ties, sessions, broadcaster)
    background = (broadcaster.run, broadcaster.listen, courier.run, domain.links.unlinking.run)
    upkeep, work = SqlUpkeep(stores.database), stores.work
    return Application(
        handlers={
            **_for_customers(domain, sessions, broadcaster, work, clock),
            **_for_services(domain, sessions, signer, broadcaster, leave.feed, work, clock),
            **_standing(leave, Standings(sessions, clock, runtime.ids), broadcaster, work),
        },
        outbox=stores.outbox,
        verifier=AssertionVerifier(state, clock, config.public_url, config.sessions.audience),
        tasks=(*background, *leave.tasks, lambda: _sweep(upkeep, clock, log)),
        probes=(stores.database.ping, stores.keys.ping),
        closers=(pool.aclose, stores.close),
        surfaces=(lambda _chain: _Streams(broadcaster),),
        checks=AccountChecks(stores.units, sessions, peppers, clock).all(),
        search=StoreSearch(stores.database, tables.metadata),
    )


def _signer(config: Config) -> AssertionSigner:
    keys = assertions.load(config.sessions.signing_key_file)
    return AssertionSigner(keys, config.public_url, config.sessions.audience)


def _state(clock: Clock, signer: AssertionSigner) -> RevocationState:
    made = RevocationState(clock)
    made.replace_keys(signer.jwks)
    return made


def _standing(leave: Leaving, standings: Standings, broadcaster: Broadcaster, work: Callable[[Call], Work]) -> Handlers:
    """What people, operators and services do about an account as a whole."""
    return {
        _service(account_data_pb2, "AccountDataService"): AccountDataHandlers(leave.erasures, work),
        _service(erasure_pb2, "ErasureService"): ErasureHandlers(leave.erasures, work),
        _service(operator_pb2, "OperatorService"): OperatorHandlers(standings, leave.erasures, broadcaster, work),
    }


@dataclass(frozen=True)
class _Stores:
    database: Database
    keys: Database
    outbox: Outbox
    units: SqlUnits
    keyring: Keyring
    link_keys: Keyring
    shared: Replicas

    def work(self, call: Call) -> Work:
        return SqlWork(call, self.outbox)

    async def close(self) -> None:
        await self.shared.close()
        await self.database.close()
        await self.keys.close()


async def _open(config: Config, runtime: Runtime) -> _Stores:
    database, keys = Database(config.database, trace_engine), Database(config.keys_database, trace_engine)
    await database.require_revision(REVISION)
    await keys.require_revision(KEYS_REVISION)
    outbox = Outbox(database, runtime.clock, runtime.ids)
    keyring, link_keys = (Keyring(keys, _root_key(config), one, runtime.clock) for one in ("auth", LINKS_KEYS))
    shared = Replicas(config, database, runtime.clock)
    return _Stores(database, keys, outbox, SqlUnits(database, outbox), keyring, link_keys, shared)


def _sessions(config: Config, runtime: Runtime, stores: _Stores) -> Sessions:
    limits, activity = config.sessions.limits(), stores.shared.activity
    return Sessions(limits, runtime.clock, runtime.ids, secrets.token_bytes, activity)


@dataclass(frozen=True)
class _Domain:
    accounts: Accounts
    changes: PasswordChanges
    emails: EmailChanges
    factors: Assembled
    links: links.Links


async def _domain(
    config: Config,
    runtime: Runtime,
    stores: _Stores,
    peppers: pepper.Pepper,
    pool: HashPool,
    sessions: Sessions,
) -> _Domain:
    clock, ids = runtime.clock, runtime.ids
    policy = PasswordPolicy(config.product, await _breached(config))
    passwords = Passwords(config.passwords.parameters, peppers, pool, secrets.token_bytes, policy)
    decoy = SqlDecoy(stores.shared.sql_counters, clock, _RANDOM.random)
    series = stores.shared.sql_counters
    throttle = Throttle(config.rules(), stores.shared.counters, series, clock, peppers.blind, decoy)
    tokens = MailTokens(clock, secrets.token_bytes)
    arrivals = Arrivals(sessions, Devices(clock, secrets.token_bytes), clock, ids)
    factors = assemble(
        Surroundings(
            sessions=sessions,
            arrivals=arrivals,
            passwords=passwords,
            throttle=throttle,
            keys=stores.keyring,
            clock=clock,
            ids=ids,
            entropy=secrets.token_bytes,
            public_url=config.public_url,
            product=config.product,
        )
    )
    accounts = Accounts(passwords, arrivals, factors.steps, throttle, tokens, clock, ids)
    changes = PasswordChanges(passwords, sessions, arrivals, throttle, tokens, clock, ids)
    emails = EmailChanges(sessions, throttle, tokens, clock, ids)
    return _Domain(accounts, changes, emails, factors, _links(config, runtime, stores, throttle))


def _links(config: Config, runtime: Runtime, stores: _Stores, throttle: Throttle) -> links.Links:
    given = links.Surroundings(
        units=stores.units,
        keys=stores.link_keys,
        throttle=throttle,
        clock=runtime.clock,
        ids=runtime.ids,
        entropy=secrets.token_bytes,
        failed=runtime.log.warning,
    )
    return links.assemble(config.links, config.public_url, given)


def _for_customers(
    domain: _Domain, sessions: Sessions, broadcaster: Broadcaster, work: Callable[[Call], Work], clock: Clock
) -> dict[ServiceDescriptor, object]:
    steps, factors, removal = domain.factors.steps, domain.factors.factors, domain.factors.removal
    return {
        _service(account_pb2, "AccountService"): AccountHandlers(
            domain.accounts, steps, sessions, broadcaster, work, clock
        ),
        _service(security_pb2, "SecurityService"): SecurityHandlers(
            OwnSessions(sessions, clock), domain.changes, sessions, broadcaster, work, clock
        ),
        _service(email_pb2, "EmailService"): EmailHandlers(domain.emails, domain.changes, broadcaster, work),
        _service(factor_pb2, "FactorService"): FactorHandlers(factors, removal, broadcaster, work),
        _service(link_pb2, "LinkService"): LinkHandlers(domain.links.linking, domain.links.unlinking, work),
    }


def _for_services(
    domain: _Domain,
    sessions: Sessions,
    signer: AssertionSigner,
    broadcaster: Broadcaster,
    feed: ErasureFeed,
    work: Callable[[Call], Work],
    clock: Clock,
) -> dict[ServiceDescriptor, object]:
    return {
        _service(session_pb2, "SessionService"): SessionHandlers(sessions, signer, work, clock),
        _service(session_pb2, "WatchService"): WatchHandlers(broadcaster, signer, feed),
        _service(link_pb2, "LinkTokenService"): LinkTokenHandlers(domain.links.use, work, clock),
    }


def _root_key(config: Config) -> FileRootKey:
    if config.root_key.file is None:
        raise RootKeyError("root_key.file is missing")
    return FileRootKey(config.root_key.file)


async def _broadcaster(runtime: Runtime, stores: _Stores, state: RevocationState) -> Broadcaster:
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


def _courier(config: Config, runtime: Runtime, stores: _Stores) -> Courier:
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


async def _breached(config: Config) -> BreachedSet | None:
    """Return the set of breached passwords, if there is one. Raises BreachedSetError."""
    folder, file = config.passwords.breached_directory, config.passwords.breached_file
    found = RangeDirectory(folder) if folder else SortedFile(file) if file else None
    if found is not None:
        await asyncio.to_thread(found.check)
    return found


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


def _service(module: ModuleType, name: str) -> ServiceDescriptor:
    service: ServiceDescriptor = module.DESCRIPTOR.services_by_name[name]
    return service
