"""Owns the mapping between the security contract and its domain: parse, one call, map. Must never decide anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.auth import wire
from services.kit.faults import NOT_FOUND, Fault
from services.kit.ids import is_id
from valv.auth.v1 import security_pb2

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.auth.own_sessions import OwnSessions
    from services.auth.password_changes import PasswordChanges
    from services.auth.revocations import Broadcaster
    from services.auth.sessions import Session, Sessions
    from services.auth.store import Work
    from services.kit.call import Call
    from services.kit.clock import Clock


class SecurityHandlers:
    """Serves ``valv.auth.v1.SecurityService``."""

    def __init__(
        self,
        own: OwnSessions,
        changes: PasswordChanges,
        sessions: Sessions,
        broadcaster: Broadcaster,
        work: Callable[[Call], Work],
        clock: Clock,
    ) -> None:
        """Take the domain."""
        self._own, self._changes, self._sessions = own, changes, sessions
        self._broadcaster, self._work, self._clock = broadcaster, work, clock

    async def list_sessions(
        self, _request: security_pb2.ListSessionsRequest, call: Call
    ) -> security_pb2.ListSessionsResponse:
        """List the caller's sessions."""
        call.reply_metadata.append(wire.NO_STORE)
        found = await self._own.list(self._work(call), call.customer, call.session)
        call.record.detail(count=len(found))
        return security_pb2.ListSessionsResponse(sessions=[self._message(one, call.session) for one in found])

    async def end_session(self, request: security_pb2.EndSessionRequest, call: Call) -> security_pb2.EndSessionResponse:
        """End one."""
        if not is_id(request.session_id):
            raise Fault(NOT_FOUND, field="session_id")
        call.record.object("ses", request.session_id)
        work = self._work(call)
        await self._own.end(work, call.customer, request.session_id)
        await self._announce(work)
        return security_pb2.EndSessionResponse()

    async def end_other_sessions(
        self, _request: security_pb2.EndOtherSessionsRequest, call: Call
    ) -> security_pb2.EndOtherSessionsResponse:
        """End the others."""
        work = self._work(call)
        ended = await self._own.end_others(work, call.customer, call.session)
        call.record.detail(count=ended)
        await self._announce(work)
        return security_pb2.EndOtherSessionsResponse(ended=ended)

    async def end_all_sessions(
        self, _request: security_pb2.EndAllSessionsRequest, call: Call
    ) -> security_pb2.EndAllSessionsResponse:
        """End all, this one too."""
        work = self._work(call)
        ended = await self._own.end_all(work, call.customer)
        call.record.detail(count=ended)
        await self._announce(work)
        wire.forget(call)
        return security_pb2.EndAllSessionsResponse(ended=ended)

    async def change_password(
        self, request: security_pb2.ChangePasswordRequest, call: Call
    ) -> security_pb2.ChangePasswordResponse:
        """Change the password and go on in a new session."""
        current = wire.secret(request.current_password, "current_password")
        new, delivery = wire.secret(request.new_password, "new_password"), wire.delivery(request.delivery)
        work = self._work(call)
        opened = await self._changes.change(work, call.customer, call.session, current, new)
        call.record.object("ses", opened.session.session_id)
        account = await (await work.write()).accounts.get(call.customer)
        await self._announce(work)
        session = await self._sessions.touch(opened.session)
        token = wire.session_token(call, opened.token, delivery)
        shown = wire.session(session, account, self._sessions.ends(session), self._clock.now())
        return security_pb2.ChangePasswordResponse(session=shown, session_token=token)

    async def _announce(self, work: Work) -> None:
        await work.commit()
        await self._broadcaster.announce()

    def _message(self, session: Session, current: str) -> security_pb2.OwnSession:
        return security_pb2.OwnSession(
            session_id=session.session_id,
            current=session.session_id == current,
            device=session.device,
            place=session.place,
            create_time=wire.timestamp(session.opened),
            last_activity_time=wire.timestamp(session.active),
            ends=wire.timestamp(self._sessions.ends(session)),
            factors=session.amr,
        )
