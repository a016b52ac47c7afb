"""Owns the mapping between auth's contracts and its domain: parse, one call, map. Must never decide anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from services.auth import email_address
from services.kit.faults import INVALID_ARGUMENT, Fault
from services.kit.secret import Secret
from valv.auth.v1 import account_pb2, session_pb2

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from datetime import datetime

    from services.auth.accounts import Accounts
    from services.auth.assertions import AssertionSigner
    from services.auth.revocations import Broadcaster
    from services.auth.sessions import Session, Sessions
    from services.auth.store import Store, Work
    from services.kit.call import Call
    from services.kit.clock import Clock

SESSION_COOKIE = "__Host-valv_session"
ASSERTION_COOKIE = "__Host-valv_assertion"
_ATTRIBUTES = "Path=/; Secure; HttpOnly; SameSite=Strict"
_NO_STORE = ("cache-control", "no-store")
_DEFAULT_LOCALE = "en"


class AccountHandlers:
    """Serves ``valv.auth.v1.AccountService``."""

    def __init__(
        self,
        accounts: Accounts,
        sessions: Sessions,
        broadcaster: Broadcaster,
        work: Callable[[Call], Work],
        clock: Clock,
    ) -> None:
        """Take the domain."""
        self._accounts, self._sessions, self._broadcaster = accounts, sessions, broadcaster
        self._work, self._clock = work, clock

    async def sign_up(self, request: account_pb2.SignUpRequest, call: Call) -> account_pb2.SignUpResponse:
        """Sign up."""
        email, password = email_address.parse(request.email), _secret(request.password, "password")
        await self._accounts.sign_up(
            self._work(call), call.record, email, password, request.locale or _DEFAULT_LOCALE, call.origin.address
        )
        return account_pb2.SignUpResponse()

    async def confirm_email(
        self, request: account_pb2.ConfirmEmailRequest, call: Call
    ) -> account_pb2.ConfirmEmailResponse:
        """Confirm an address."""
        await self._accounts.confirm(self._work(call), call.record, _secret(request.token, "token"))
        return account_pb2.ConfirmEmailResponse()

    async def sign_in(self, request: account_pb2.SignInRequest, call: Call) -> account_pb2.SignInResponse:
        """Sign in."""
        email, password = email_address.parse(request.email), _secret(request.password, "password")
        if request.delivery not in account_pb2.TokenDelivery.values():
            raise Fault(INVALID_ARGUMENT, field="delivery")
        work = self._work(call)
        opened = await self._accounts.sign_in(work, call.record, email, password, call.origin.address)
        call.record.object("ses", opened.session.session_id)
        call.record.detail(factor=opened.session.amr[0])
        call.reply_metadata.append(_NO_STORE)
        session = await self._session(await work.write(), opened.session)
        token = opened.token.text()
        if request.delivery == account_pb2.TOKEN_DELIVERY_BODY:
            return account_pb2.SignInResponse(session=session, session_token=token)
        call.reply_metadata.append(("set-cookie", f"{SESSION_COOKIE}={token}; {_ATTRIBUTES}"))
        return account_pb2.SignInResponse(session=session)

    async def sign_out(self, _request: account_pb2.SignOutRequest, call: Call) -> account_pb2.SignOutResponse:
        """Sign out: ended, recorded and told to all services before the answer."""
        call.record.object("ses", call.session)
        work = self._work(call)
        store = await work.write()
        await self._sessions.end(store.sessions, store.revocations, call.session)
        await work.commit()
        await self._broadcaster.announce()
        call.reply_metadata.append(_NO_STORE)
        for cookie in (SESSION_COOKIE, ASSERTION_COOKIE):
            call.reply_metadata.append(("set-cookie", f"{cookie}=; {_ATTRIBUTES}; Max-Age=0"))
        return account_pb2.SignOutResponse()

    async def get_session(self, _request: account_pb2.GetSessionRequest, call: Call) -> account_pb2.GetSessionResponse:
        """Tell who is signed in."""
        call.record.object("ses", call.session)
        call.reply_metadata.append(_NO_STORE)
        work = self._work(call)
        session = await self._sessions.get(work, call.session)
        async with work.read() as store:
            return account_pb2.GetSessionResponse(session=await self._session(store, session))

    async def extend_session(
        self, _request: account_pb2.ExtendSessionRequest, call: Call
    ) -> account_pb2.ExtendSessionResponse:
        """Record activity."""
        call.record.object("ses", call.session)
        call.reply_metadata.append(_NO_STORE)
        work = self._work(call)
        session = await self._sessions.touch(await self._sessions.get(work, call.session))
        async with work.read() as store:
            return account_pb2.ExtendSessionResponse(session=await self._session(store, session))

    async def _session(self, store: Store, session: Session) -> account_pb2.Session:
        account = await store.accounts.get(session.account_id)
        return account_pb2.Session(
            session_id=session.session_id,
            account_id=session.account_id,
            email=account.email if account else "",
            ends=_timestamp(self._sessions.ends(session)),
            auth_time=_timestamp(session.opened),
            now=_timestamp(self._clock.now()),
        )


class SessionHandlers:
    """Serves ``valv.auth.v1.SessionService``."""

    def __init__(self, sessions: Sessions, signer: AssertionSigner, work: Callable[[Call], Work], clock: Clock) -> None:
        """Take the domain."""
        self._sessions, self._signer, self._work, self._clock = sessions, signer, work, clock

    async def renew(self, request: session_pb2.RenewRequest, call: Call) -> session_pb2.RenewResponse:
        """Exchange a session token for an assertion."""
        token = _secret(request.session_token, "session_token")
        session = await self._sessions.find(self._work(call), token)
        if not request.passive:
            session = await self._sessions.touch(session)
        ends = self._sessions.ends(session)
        minted = self._signer.sign(session, ends, self._clock.now())
        lifetime = Duration()
        lifetime.FromTimedelta(minted.lifetime)
        return session_pb2.RenewResponse(
            assertion=minted.token.text(), session_id=session.session_id, ends=_timestamp(ends), lifetime=lifetime
        )

    async def check(self, request: session_pb2.CheckRequest, call: Call) -> session_pb2.CheckResponse:
        """Tell a service who is signed in."""
        token = _secret(request.session_token, "session_token")
        session = await self._sessions.find(self._work(call), token)
        call.record.subject = session.account_id
        call.record.object("ses", session.session_id)
        return session_pb2.CheckResponse(
            account_id=session.account_id,
            session_id=session.session_id,
            ends=_timestamp(self._sessions.ends(session)),
        )


class WatchHandlers:
    """Serves ``valv.auth.v1.WatchService``."""

    def __init__(self, broadcaster: Broadcaster, signer: AssertionSigner) -> None:
        """Take the domain."""
        self._broadcaster, self._signer = broadcaster, signer

    async def watch(self, _request: session_pb2.WatchRequest, _call: Call) -> AsyncIterator[session_pb2.WatchResponse]:
        """Stream keys, revocations and signs of life. Each stream begins with the whole of the last minute."""
        yield session_pb2.WatchResponse(keys=session_pb2.KeySet(jwks=self._signer.jwks))
        async for progress in self._broadcaster.follow():
            for revocation in progress.revocations:
                yield session_pb2.WatchResponse(
                    sequence=revocation.sequence,
                    revocation=session_pb2.Revocation(
                        session_id=revocation.session_id, time=_timestamp(revocation.time)
                    ),
                )
            if progress.complete:
                yield session_pb2.WatchResponse(sequence=progress.sequence, heartbeat=session_pb2.Heartbeat())


def _secret(text: str, field: str) -> Secret:
    if not text:
        raise Fault(INVALID_ARGUMENT, field=field)
    return Secret(text)


def _timestamp(time: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(time)
    return stamp
