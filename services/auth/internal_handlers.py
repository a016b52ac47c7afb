"""Owns the mapping between what other processes ask auth and its domain. Must never decide anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.duration_pb2 import Duration

from services.auth import wire
from services.auth.erasures.erasure import Phase
from valv.auth.v1 import session_pb2

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from services.auth.assertions import AssertionSigner
    from services.auth.erasures.erasure import Order
    from services.auth.erasures.feed import ErasureFeed
    from services.auth.revocations import Broadcaster
    from services.auth.sessions import Sessions
    from services.auth.store import Work
    from services.kit.call import Call
    from services.kit.clock import Clock


class SessionHandlers:
    """Serves ``valv.auth.v1.SessionService``."""

    def __init__(self, sessions: Sessions, signer: AssertionSigner, work: Callable[[Call], Work], clock: Clock) -> None:
        """Take the domain."""
        self._sessions, self._signer, self._work, self._clock = sessions, signer, work, clock

    async def renew(self, request: session_pb2.RenewRequest, call: Call) -> session_pb2.RenewResponse:
        """Exchange a session token for an assertion."""
        token = wire.secret(request.session_token, "session_token")
        session = await self._sessions.find(self._work(call), token)
        if not request.passive:
            session = await self._sessions.touch(session)
        ends = self._sessions.ends(session)
        minted = self._signer.sign(session, ends, self._clock.now())
        lifetime = Duration()
        lifetime.FromTimedelta(minted.lifetime)
        return session_pb2.RenewResponse(
            assertion=minted.token.text(), session_id=session.session_id, ends=wire.timestamp(ends), lifetime=lifetime
        )

    async def check(self, request: session_pb2.CheckRequest, call: Call) -> session_pb2.CheckResponse:
        """Tell a service who is signed in."""
        token = wire.secret(request.session_token, "session_token")
        session = await self._sessions.find(self._work(call), token)
        call.record.subject = session.account_id
        call.record.object("ses", session.session_id)
        return session_pb2.CheckResponse(
            account_id=session.account_id,
            session_id=session.session_id,
            ends=wire.timestamp(self._sessions.ends(session)),
        )


class WatchHandlers:
    """Serves ``valv.auth.v1.WatchService``."""

    def __init__(self, broadcaster: Broadcaster, signer: AssertionSigner, erasures: ErasureFeed) -> None:
        """Take the domain."""
        self._broadcaster, self._signer, self._erasures = broadcaster, signer, erasures

    async def watch(self, request: session_pb2.WatchRequest, _call: Call) -> AsyncIterator[session_pb2.WatchResponse]:
        """Stream keys, revocations, orders to erase and signs of life. It begins with the whole of the last minute."""
        ordered = request.erasures_after if request.HasField("erasures_after") else None
        yield session_pb2.WatchResponse(keys=session_pb2.KeySet(jwks=self._signer.jwks))
        async for progress in self._broadcaster.follow():
            for revocation in progress.revocations:
                yield session_pb2.WatchResponse(
                    sequence=revocation.sequence,
                    revocation=session_pb2.Revocation(
                        session_id=revocation.session_id, time=wire.timestamp(revocation.time)
                    ),
                )
            if progress.complete:
                yield session_pb2.WatchResponse(sequence=progress.sequence, heartbeat=session_pb2.Heartbeat())
            for order in () if ordered is None else await self._erasures.after(ordered):
                ordered = order.sequence
                yield session_pb2.WatchResponse(sequence=progress.sequence, erasure=_order(order))


def _order(order: Order) -> session_pb2.ErasureOrder:
    phase = session_pb2.ERASURE_PHASE_LOG if order.phase is Phase.LOG else session_pb2.ERASURE_PHASE_DATA
    return session_pb2.ErasureOrder(sequence=order.sequence, account_id=order.account_id, phase=phase)
