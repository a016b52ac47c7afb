"""Auth's domain over a real SQLite database, a clock that stands still, and nothing else faked but the mail server."""

from __future__ import annotations

import hashlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from email.headerregistry import Address
from email.message import EmailMessage
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import MetaData, insert, select

from services.auth import email_address, tables
from services.auth.accounts import Accounts
from services.auth.addressing import Addressing
from services.auth.arrivals import Arrivals, Arrived, Visitor
from services.auth.courier import Courier, Undelivered
from services.auth.devices import Devices
from services.auth.email_changes import EmailChanges
from services.auth.factors.assembly import Surroundings, assemble
from services.auth.factors.steps import Next
from services.auth.fanout import NoFanout
from services.auth.hash_pool import HashPool
from services.auth.mail import Letters
from services.auth.mail_tokens import MailTokens
from services.auth.password_changes import PasswordChanges
from services.auth.password_policy import PasswordPolicy
from services.auth.passwords import Parameters, Passwords
from services.auth.pepper import Pepper
from services.auth.revocations import Broadcaster, Progress
from services.auth.sessions import Activity, Limits, Sessions
from services.auth.sql import SqlStore, SqlUnits
from services.auth.sql_counters import SqlCounters, SqlDecoy
from services.auth.sql_ports import SqlActivity
from services.auth.store import Store
from services.auth.throttle import Throttle
from services.auth.throttle_rules import DEFAULT, Rules
from services.kit.config import load
from services.kit.db import Database, DatabaseConfig
from services.kit.envelope import FileRootKey, create_root_key
from services.kit.ids import Ids
from services.kit.keyring import Keyring, keyring_tables
from services.kit.outbox import Outbox
from services.kit.secret import Secret
from tests.support.clock import FakeClock
from valv.audit.v1 import event_pb2

TEMPLATES = Path(tables.__file__).parent / "templates"
EMAIL = "anna@example.com"
PASSWORD = "a lighthouse keeper counts waves"
HOME = "192.0.2.7"
URL = "https://localhost:8443"


class Trail:
    """The record of a call."""

    def __init__(self) -> None:
        self.subject = ""
        self.otherwise: Callable[[], Awaitable[None]] | None = None
        self.details: dict[str, str | int] = {}

    def detail(self, **values: str | int) -> None:
        self.details |= values


class Transaction:
    """A unit of work as the kit's scope gives it: begun at first use, rolled back when the block raises."""

    def __init__(self, units: SqlUnits) -> None:
        self._units = units
        self._stack = AsyncExitStack()
        self._store: SqlStore | None = None
        self.phases: list[str] = []

    def read(self) -> AbstractAsyncContextManager[Store]:
        return self._units.read()

    async def write(self) -> SqlStore:
        if self._store is None:
            self._store = await self._stack.enter_async_context(self._units.write())
        return self._store

    async def phase(self, action: str | None = None) -> None:
        if action is not None:
            self.phases.append(action)
        self._store = None
        await self._stack.aclose()

    async def commit(self) -> None:
        await self.phase()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)


class MailServer:
    """Takes mails, or does not."""

    def __init__(self) -> None:
        self.taken: list[EmailMessage] = []
        self.refusal: Undelivered | None = None

    async def deliver(self, message: EmailMessage) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.taken.append(message)


class CountingDecoy:
    """Counts what is done for nothing, and does it."""

    def __init__(self, decoy: SqlDecoy) -> None:
        self._decoy = decoy
        self.count = 0

    async def commit(self) -> None:
        self.count += 1
        await self._decoy.commit()


class World:
    """Everything, wired as in app.py."""

    def __init__(
        self, folder: Path, activity: Activity | None = None, rules: Rules | None = None, url: str = ""
    ) -> None:
        self.folder = folder
        self.clock = FakeClock()
        self.ids = Ids(self.clock)
        self.random = random.Random(7)
        self.database = Database(DatabaseConfig(url or f"sqlite+aiosqlite:///{folder}/auth.db"))
        self.outbox = Outbox(self.database, self.clock, self.ids)
        self.units = SqlUnits(self.database, self.outbox)
        self.keys_database = Database(DatabaseConfig(f"sqlite+aiosqlite:///{folder}/keys.db", secure_delete=True))
        create_root_key(folder / "root.key")
        self.keys = Keyring(self.keys_database, FileRootKey(folder / "root.key"), "auth", self.clock)
        self.pepper = Pepper("p1", {"p1": Secret(b"1" * 32)})
        self.pool = HashPool(2, 32)
        self.policy = PasswordPolicy("Valv")
        self.passwords = self.make_passwords()
        self.activity = activity or SqlActivity(self.database)
        self.sessions = Sessions(Limits(), self.clock, self.ids, self.random.randbytes, self.activity)
        self.devices = Devices(self.clock, self.random.randbytes)
        self.arrivals = Arrivals(self.sessions, self.devices, self.clock, self.ids)
        self.tokens = MailTokens(self.clock, self.random.randbytes)
        self.decoy = CountingDecoy(SqlDecoy(SqlCounters(self.database), self.clock, self.random.random))
        self.rules = rules or load(Rules, DEFAULT)
        self.counters = SqlCounters(self.database)
        self.throttle = self.make_throttle(self.rules)
        self.server = MailServer()
        self.failures: list[str] = []
        letters = Letters(TEMPLATES, Address("Valv", addr_spec="valv@valv.example"))
        addressing = Addressing(self.tokens, URL)
        self.courier = Courier(self.units, letters, addressing, self.server, self.clock, self.failures.append)

        self.factors = assemble(
            Surroundings(
                sessions=self.sessions,
                arrivals=self.arrivals,
                passwords=self.passwords,
                throttle=self.throttle,
                keys=self.keys,
                clock=self.clock,
                ids=self.ids,
                entropy=self.random.randbytes,
                public_url=URL,
                product="Valv",
            )
        )

    @property
    def accounts(self) -> Accounts:
        steps = self.factors.steps
        return Accounts(self.passwords, self.arrivals, steps, self.throttle, self.tokens, self.clock, self.ids)

    def make_throttle(self, rules: Rules) -> Throttle:
        return Throttle(rules, self.counters, self.counters, self.clock, self.pepper.blind, self.decoy)

    @property
    def changes(self) -> PasswordChanges:
        parts = (self.passwords, self.sessions, self.arrivals, self.throttle, self.tokens)
        return PasswordChanges(*parts, self.clock, self.ids)

    @property
    def emails(self) -> EmailChanges:
        return EmailChanges(self.sessions, self.throttle, self.tokens, self.clock, self.ids)

    def make_passwords(self, pepper: Pepper | None = None, parameters: Parameters | None = None) -> Passwords:
        return Passwords(
            parameters or Parameters(), pepper or self.pepper, self.pool, self.random.randbytes, self.policy
        )

    def make_broadcaster(self) -> tuple[Broadcaster, list[Progress], list[str]]:
        seen: list[Progress] = []
        away: list[str] = []
        broadcaster = Broadcaster(self.units, NoFanout(), self.clock, seen.append, lambda: away.append("away"))
        return broadcaster, seen, away

    async def begin(self) -> None:
        async with self.database.write() as connection:
            await connection.run_sync(tables.metadata.create_all)
            await connection.execute(insert(tables.revocation_head).values(id=1, sequence=0))
            await connection.execute(insert(tables.erasure_head).values(id=1, sequence=0))
        keys = MetaData()
        keyring_tables(keys)
        async with self.keys_database.write() as connection:
            await connection.run_sync(keys.create_all)

    async def end(self) -> None:
        self.pool.close()
        await self.database.close()
        await self.keys_database.close()

    def work(self) -> Transaction:
        return Transaction(self.units)

    async def sign_up(self, email: str = EMAIL, password: str = PASSWORD, locale: str = "en", home: str = HOME) -> str:
        trail = Trail()
        async with self.work() as work:
            await self.accounts.sign_up(work, trail, email_address.parse(email), Secret(password), locale, home)
        return trail.subject

    async def confirm(self, token: str) -> str:
        trail = Trail()
        async with self.work() as work:
            await self.accounts.confirm(work, trail, Secret(token))
        return trail.subject

    async def sign_in(
        self,
        email: str = EMAIL,
        password: str = PASSWORD,
        home: str = HOME,
        trail: Trail | None = None,
        visitor: Visitor | None = None,
    ) -> Arrived:
        outcome = await self.first_step(email, password, home, trail, visitor)
        assert isinstance(outcome, Arrived)
        return outcome

    async def first_step(
        self,
        email: str = EMAIL,
        password: str = PASSWORD,
        home: str = HOME,
        trail: Trail | None = None,
        visitor: Visitor | None = None,
    ) -> Arrived | Next:
        """Sign in by password, whatever is asked for then."""
        visitor = visitor or Visitor(home, "firefox/linux")
        async with self.work() as work:
            return await self.accounts.sign_in(
                work, trail or Trail(), email_address.parse(email), Secret(password), visitor
            )

    async def mailed_token(self) -> str:
        await self.courier.step()
        text = self.server.taken[-1].get_body(("plain",))
        assert text is not None
        return str(text.get_content()).partition("#token=")[2].split()[0]

    async def member(self, email: str = EMAIL, password: str = PASSWORD) -> str:
        """Sign up and confirm; returns the account's id."""
        await self.sign_up(email, password)
        return await self.confirm(await self.mailed_token())

    async def events(self) -> list[event_pb2.Event]:
        async with self.database.read() as connection:
            rows = await connection.execute(select(self.outbox.table.c.event).order_by(self.outbox.table.c.id))
            return [event_pb2.Event.FromString(row) for row in rows.scalars()]


@asynccontextmanager
async def world_in(
    folder: Path, activity: Activity | None = None, rules: Rules | None = None, url: str = ""
) -> AsyncIterator[World]:
    """A world that ends with the block; ``url`` names another database than SQLite in the folder."""
    world = World(folder, activity, rules, url)
    await world.begin()
    try:
        yield world
    finally:
        await world.end()


def sha256(text: str) -> bytes:
    """The hash tokens are stored as."""
    return hashlib.sha256(text.encode()).digest()
