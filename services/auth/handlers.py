"""Owns the mapping between the accounts contract and its domain: parse, one call, map. Must never decide anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.auth import email_address, wire
from services.auth.factors import wire as factor_wire
from services.auth.factors.steps import PASSWORD, Next
from valv.auth.v1 import account_pb2

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.auth.accounts import Accounts
    from services.auth.arrivals import Arrived
    from services.auth.factors.steps import Steps
    from services.auth.revocations import Broadcaster
    from services.auth.sessions import Session, Sessions
    from services.auth.store import Store, Work
    from services.kit.call import Call
    from services.kit.clock import Clock

_DEFAULT_LOCALE = "en"
_OPEN, _AGAIN, _CHALLENGE = "auth.session.open", "auth.session.reauthenticate", "auth.session.challenge"


class AccountHandlers:
    """Serves ``valv.auth.v1.AccountService``."""

    def __init__(
        self,
        accounts: Accounts,
        steps: Steps,
        sessions: Sessions,
        broadcaster: Broadcaster,
        work: Callable[[Call], Work],
        clock: Clock,
    ) -> None:
        """Take the domain."""
        self._accounts, self._steps, self._sessions = accounts, steps, sessions
        self._broadcaster, self._work, self._clock = broadcaster, work, clock

    async def sign_up(self, request: account_pb2.SignUpRequest, call: Call) -> account_pb2.SignUpResponse:
        """Sign up."""
        email, password = email_address.parse(request.email), wire.secret(request.password, "password")
        await self._accounts.sign_up(
            self._work(call), call.record, email, password, request.locale or _DEFAULT_LOCALE, call.origin.address
        )
        return account_pb2.SignUpResponse()

    async def confirm_email(
        self, request: account_pb2.ConfirmEmailRequest, call: Call
    ) -> account_pb2.ConfirmEmailResponse:
        """Confirm an address."""
        await self._accounts.confirm(self._work(call), call.record, wire.secret(request.token, "token"))
        return account_pb2.ConfirmEmailResponse()

    async def sign_in(self, request: account_pb2.SignInRequest, call: Call) -> account_pb2.SignInResponse:
        """Sign in."""
        email, password = email_address.parse(request.email), wire.secret(request.password, "password")
        delivery, visitor = wire.delivery(request.delivery), wire.visitor(call, request.device_token)
        work = self._work(call)
        outcome = await self._accounts.sign_in(work, call.record, email, password, visitor)
        call.record.detail(factor=PASSWORD)
        if isinstance(outcome, Next):
            call.record.instead(_CHALLENGE)
            return account_pb2.SignInResponse(next=factor_wire.wanted(call, outcome))
        session = await self._opened(call, work, outcome, announce=outcome.superseded)
        token, device_token = wire.hand_over(call, outcome, delivery)
        return account_pb2.SignInResponse(session=session, session_token=token, device_token=device_token)

    async def begin_passkey_sign_in(
        self, _request: account_pb2.BeginPasskeySignInRequest, call: Call
    ) -> account_pb2.BeginPasskeySignInResponse:
        """Ask for a passkey."""
        outcome = await self._steps.begin_passkey(self._work(call))
        return account_pb2.BeginPasskeySignInResponse(next=factor_wire.wanted(call, outcome))

    async def continue_sign_in(
        self, request: account_pb2.ContinueSignInRequest, call: Call
    ) -> account_pb2.ContinueSignInResponse:
        """Go on with a sign-in; one that replaces a session is recorded as what it is."""
        challenge, answer = wire.secret(request.challenge, "challenge"), factor_wire.answer(request)
        delivery, visitor = wire.delivery(request.delivery), wire.visitor(call, request.device_token)
        work = self._work(call)
        done = await self._steps.proceed(work, call.record, challenge, answer, visitor)
        call.record.instead(_AGAIN if done.replaced else _OPEN)
        announce = done.replaced or done.arrived.superseded
        session = await self._opened(call, work, done.arrived, announce=announce)
        token, device_token = wire.hand_over(call, done.arrived, delivery)
        return account_pb2.ContinueSignInResponse(session=session, session_token=token, device_token=device_token)

    async def reauthenticate(
        self, request: account_pb2.ReauthenticateRequest, call: Call
    ) -> account_pb2.ReauthenticateResponse:
        """Sign in anew."""
        delivery, visitor = wire.delivery(request.delivery), wire.visitor(call, request.device_token)
        work = self._work(call)
        outcome: Arrived | Next
        if request.password:
            password = wire.secret(request.password, "password")
            outcome = await self._accounts.sign_in_again(work, call.customer, call.session, password, visitor)
            call.record.detail(factor=PASSWORD)
        else:
            outcome = await self._steps.passkey_again(work, call.customer, call.session)
        if isinstance(outcome, Next):
            call.record.instead(_CHALLENGE)
            return account_pb2.ReauthenticateResponse(next=factor_wire.wanted(call, outcome))
        session = await self._opened(call, work, outcome, announce=True)
        token, device_token = wire.hand_over(call, outcome, delivery)
        return account_pb2.ReauthenticateResponse(session=session, session_token=token, device_token=device_token)

    async def sign_out(self, _request: account_pb2.SignOutRequest, call: Call) -> account_pb2.SignOutResponse:
        """Sign out: ended, recorded and told to all services before the answer."""
        call.record.object("ses", call.session)
        work = self._work(call)
        store = await work.write()
        await self._sessions.end(store.sessions, store.revocations, call.session)
        await work.commit()
        await self._broadcaster.announce()
        wire.forget(call)
        return account_pb2.SignOutResponse()

    async def get_session(self, _request: account_pb2.GetSessionRequest, call: Call) -> account_pb2.GetSessionResponse:
        """Tell who is signed in."""
        call.record.object("ses", call.session)
        call.reply_metadata.append(wire.NO_STORE)
        work = self._work(call)
        session = await self._sessions.get(work, call.session)
        async with work.read() as store:
            return account_pb2.GetSessionResponse(session=await self._session(store, session))

    async def extend_session(
        self, _request: account_pb2.ExtendSessionRequest, call: Call
    ) -> account_pb2.ExtendSessionResponse:
        """Record activity."""
        call.record.object("ses", call.session)
        call.reply_metadata.append(wire.NO_STORE)
        work = self._work(call)
        session = await self._sessions.touch(await self._sessions.get(work, call.session))
        async with work.read() as store:
            return account_pb2.ExtendSessionResponse(session=await self._session(store, session))

    async def _opened(self, call: Call, work: Work, arrived: Arrived, *, announce: bool) -> account_pb2.Session:
        """Commit a session that was opened, and tell all services which one it replaced."""
        call.record.object("ses", arrived.session.session_id)
        session = await self._session(await work.write(), arrived.session)
        if announce:
            await work.commit()
            await self._broadcaster.announce()
        return session

    async def _session(self, store: Store, session: Session) -> account_pb2.Session:
        account = await store.accounts.get(session.account_id)
        return wire.session(session, account, self._sessions.ends(session), self._clock.now())
