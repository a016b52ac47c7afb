"""The part of every service that knows which sessions ended: the kit's own watch over mTLS, one for each role."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from services.kit.assertion import AssertionVerifier
from services.kit.clients import Channels, PeersConfig
from services.kit.clock import SystemClock
from services.kit.faults import Fault
from services.kit.watch import RevocationState, Watch
from tests.support.pki import Pki

ROLES = ("files", "billing", "audit", "gateway")


class Follower:
    """What one service knows, and its verdict on an assertion."""

    def __init__(self, state: RevocationState, verifier: AssertionVerifier) -> None:
        self.state, self._verifier = state, verifier

    def verdict(self, assertion: str) -> str:
        """Return "OK" or the reason of the refusal."""
        try:
            self._verifier.verify(assertion)
        except Fault as fault:
            return fault.reason.name
        return "OK"

    def knows(self, sessions: Iterable[str]) -> int:
        """Count those of the sessions that it refuses."""
        count = 0
        for session in sessions:
            try:
                self.state.require_live(session)
            except Fault:
                count += 1
        return count


@asynccontextmanager
async def following(pki: Pki, address: str, issuer: str, role: str) -> AsyncIterator[Follower]:
    """Follow auth as a service does, until the end of the context."""
    clock = SystemClock()
    channels = Channels(pki.material(role), PeersConfig(auth=address), clock)
    state = RevocationState(clock)
    task = asyncio.create_task(Watch(channels.get("auth"), state, clock).run())
    try:
        yield Follower(state, AssertionVerifier(state, clock, issuer, "valv"))
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await channels.close()


@asynccontextmanager
async def all_following(pki: Pki, address: str, issuer: str) -> AsyncIterator[dict[str, Follower]]:
    """Follow as every service that does."""
    async with AsyncExitStack() as stack:
        yield {role: await stack.enter_async_context(following(pki, address, issuer, role)) for role in ROLES}


async def until(holds: Callable[[], bool], seconds: float = 10) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(0.005)
