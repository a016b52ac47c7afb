"""Thirty minutes, in every service: each one built as its process builds it, on a clock that stands still.

The edge is modelled as it is: an assertion is used while it lasts, and a request that needs another one is renewed by
auth, which records the activity unless the route is passive.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import pytest
from opentelemetry.metrics import get_meter

from deploy.cli.layout import Layout
from deploy.cli.prepare import prepare
from services.auth.accounts import Account
from services.auth.assertions import AssertionSigner
from services.auth.assertions import load as load_key
from services.auth.sessions import Limits, Sessions
from services.auth.sql import SqlUnits
from services.auth.sql_ports import SqlActivity
from services.kit.call import Call
from services.kit.chain import Chain
from services.kit.clients import Channels
from services.kit.config import load
from services.kit.faults import Fault
from services.kit.ids import Ids
from services.kit.main import Application, Runtime
from services.kit.origin import Origin
from services.kit.policy import Method, methods_of
from services.kit.secret import Secret
from services.kit.telemetry import Log
from services.kit.tls import Peer, TLSMaterial
from tests.support.clock import FakeClock
from valv.auth.v1 import session_pb2

READS = {
    "auth": "/valv.auth.v1.SecurityService/ListSessions",
    "files": "/valv.files.v1.FileService/ListFiles",
    "billing": "/valv.billing.v1.CardService/ListCards",
    "audit": "/valv.audit.v1.ActivityService/ListActivity",
}
RENEW = "/valv.auth.v1.SessionService/Renew"
EARLY = 2.0
"""The edge copies no assertion that is about to run out."""


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """What ``make run`` prepares."""
    made = Layout(tmp_path_factory.mktemp("state"))
    made.make()
    prepare(made)
    return made


@dataclass
class Service:
    """A service as its process builds it, and the chain around its handlers."""

    application: Application
    chain: Chain
    clock: FakeClock

    def hear(self, jwks: str) -> None:
        """Know auth's keys, and that nothing was revoked up to now."""
        assert self.application.verifier is not None
        state: Any = self.application.verifier._sessions
        state.replace_keys(jwks)
        state.heard()

    async def call(self, name: str, role: str, request: Any = None, assertion: str = "") -> Any:
        """Make a call through the service's own chain and handler."""
        method, handler = self._find(name)
        metadata = {"x-valv-assertion": assertion} if assertion else {}
        call = Call(method, Peer(role), Ids(self.clock).new("req"), "", Origin("192.0.2.7", "curl"), metadata)
        message = method.input() if request is None else request
        async with self.chain.around(call, message):
            return await handler(message, call)

    def _find(self, name: str) -> tuple[Method, Any]:
        for service, handlers in self.application.handlers.items():
            for method in methods_of(service):
                if method.full_name == name:
                    return method, getattr(handlers, method.name)
        raise LookupError(name)


async def build(role: str, layout: Layout, clock: FakeClock, stack: AsyncExitStack) -> Service:
    """Build a service on that clock."""
    config: Any = load(import_module(f"services.{role}.config").Config, layout.configs / f"{role}.toml")
    tls, log = TLSMaterial(config.tls, clock), Log("test")
    channels = Channels(tls, config.peers, clock)
    runtime = Runtime(role, clock, Ids(clock), tls, channels, log, get_meter("test"))
    application: Application = await import_module(f"services.{role}.app").build(config, runtime)
    for close in (*application.closers, channels.close):
        stack.push_async_callback(close)
    storage = application.storage
    assert storage is not None
    chain = Chain(clock, log, storage.outbox, storage.refusals, application.verifier, 64)
    return Service(application, chain, clock)


class Browser:
    """A signed-in browser and the edge before the services."""

    def __init__(self, auth: Service, jwks: str, token: Secret) -> None:
        self._auth, self._jwks, self._token, self._clock = auth, jwks, token, auth.clock
        self._kept, self._until = "", 0.0

    async def request(self, service: Service, name: str, *, passive: bool = False) -> None:
        """Send a request to a service. Raises Fault."""
        await self.present(service, name, await self.assertion(passive=passive))

    async def assertion(self, *, passive: bool = False) -> str:
        """Return what the edge passes on with a request."""
        now = self._clock.now().timestamp()
        if self._kept and now < self._until - EARLY:
            return self._kept
        self._auth.hear(self._jwks)
        request = session_pb2.RenewRequest(session_token=self._token.text(), passive=passive)
        renewed = await self._auth.call(RENEW, "gateway", request)
        if not passive:
            self._kept, self._until = renewed.assertion, now + renewed.lifetime.seconds
        return str(renewed.assertion)

    async def present(self, service: Service, name: str, assertion: str) -> None:
        """Send a request with this assertion. Raises Fault."""
        service.hear(self._jwks)
        await service.call(name, "envoy", assertion=assertion)


@dataclass
class House:
    """One of the services, auth, and somebody who has just signed in."""

    service: Service
    name: str
    browser: Browser
    clock: FakeClock


@pytest.fixture(params=sorted(READS))
async def house(request: pytest.FixtureRequest, layout: Layout) -> AsyncIterator[House]:
    """Each service with auth."""
    clock = FakeClock()
    async with AsyncExitStack() as stack:
        auth = await build("auth", layout, clock, stack)
        service = auth if request.param == "auth" else await build(request.param, layout, clock, stack)
        config: Any = load(import_module("services.auth.config").Config, layout.configs / "auth.toml")
        key = load_key(config.sessions.signing_key_file)
        jwks = AssertionSigner(key, config.public_url, config.sessions.audience).jwks
        assert auth.application.storage is not None
        outbox = auth.application.storage.outbox
        ids = Ids(clock)
        sessions = Sessions(Limits(), clock, ids, secrets.token_bytes, SqlActivity(outbox.database))
        account = ids.new("usr")
        async with SqlUnits(outbox.database, outbox).write() as store:
            await store.accounts.ensure(Account(account, f"{account}@example.com", account, "en", clock.now()))
            opened = await sessions.open(store.sessions, account, ("pwd",))
        yield House(service, READS[request.param], Browser(auth, jwks, opened.token), clock)


@pytest.mark.clause("P7", "ASVS 7.3.1")
async def test_it_is_always_alive_1769_seconds_after_a_request(house: House) -> None:
    """Also after one that an assertion carried, which recorded no activity: that one is at most 28 seconds old."""
    await house.browser.request(house.service, house.name)
    house.clock.advance(27.999)
    await house.browser.request(house.service, house.name)
    house.clock.advance(1769)
    await house.browser.request(house.service, house.name)
    house.clock.advance(1769)
    await house.browser.request(house.service, house.name)


@pytest.mark.clause("P7", "ASVS 7.3.1", "NIST 800-63B-4 2.2.3")
async def test_it_is_dead_1800_seconds_after_the_last_recorded_activity(house: House) -> None:
    """By the service's own clock and check, though the assertion would be valid for another half minute."""
    await house.browser.request(house.service, house.name)
    house.clock.advance(1799.999)
    late = await house.browser.assertion(passive=True)
    await house.browser.present(house.service, house.name, late)
    house.clock.advance(0.001)
    with pytest.raises(Fault, match="SESSION_ENDED"):
        await house.browser.present(house.service, house.name, late)
    with pytest.raises(Fault, match="SESSION_ENDED"):
        await house.browser.request(house.service, house.name)


@pytest.mark.clause("P7")
async def test_passive_calls_do_not_keep_it_alive(house: House) -> None:
    await house.browser.request(house.service, house.name)
    house.clock.advance(60)
    for _ in range(29):
        await house.browser.request(house.service, house.name, passive=True)
        house.clock.advance(60)
    with pytest.raises(Fault, match="SESSION_ENDED"):
        await house.browser.request(house.service, house.name, passive=True)


@pytest.mark.clause("ASVS 7.3.2", "NIST 800-63B-4 2.2.3")
async def test_twelve_hours_after_the_sign_in_it_is_dead_however_active(house: House) -> None:
    for _ in range(27):
        await house.browser.request(house.service, house.name)
        house.clock.advance(1599)
    house.clock.advance(26.999)
    last = await house.browser.assertion()
    await house.browser.present(house.service, house.name, last)
    house.clock.advance(0.001)
    with pytest.raises(Fault, match="SESSION_ENDED"):
        await house.browser.present(house.service, house.name, last)
