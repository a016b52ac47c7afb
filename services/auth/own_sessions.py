"""Owns what customers do with their own sessions: seeing them and ending them. Must never tell of anybody else's.

Ending sessions is, in one transaction, their end, the row that every service follows, and the audit record; the caller
announces it once that is committed. A session of another account is as absent as one that never was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.kit.faults import NOT_FOUND, Fault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.auth.sessions import Session, Sessions
    from services.auth.store import Readable, Work
    from services.kit.clock import Clock

LISTED = 200


class OwnSessions:
    """An account's sessions, for its owner."""

    def __init__(self, sessions: Sessions, clock: Clock) -> None:
        """Take the collaborators."""
        self._sessions, self._clock = sessions, clock

    async def list(self, work: Readable, account_id: str, current: str) -> Sequence[Session]:
        """Return an account's live sessions, the newest 200: the current one, then by last activity."""
        now = self._clock.now()
        async with work.read() as store:
            stored = await store.sessions.open_of(account_id, now)
        known = [await self._sessions.known(session) for session in stored[-LISTED:]]
        alive = [session for session in known if self._sessions.alive(session, now)]
        return sorted(alive, key=lambda session: (session.session_id != current, now - session.active))

    async def end(self, work: Work, account_id: str, session_id: str) -> None:
        """End one session.

        Raises:
            Fault: NOT_FOUND: there is none, it is somebody else's, or it has ended.
        """
        store = await work.write()
        session = await store.sessions.get(session_id)
        if session is None or session.account_id != account_id:
            raise Fault(NOT_FOUND, field="session_id")
        if not await self._sessions.end(store.sessions, store.revocations, session_id):
            raise Fault(NOT_FOUND, field="session_id")

    async def end_all(self, work: Work, account_id: str) -> int:
        """End all sessions; returns how many there were."""
        store = await work.write()
        return await self._sessions.end_all(store.sessions, store.revocations, account_id)

    async def end_others(self, work: Work, account_id: str, current: str) -> int:
        """End all sessions but one; returns how many there were."""
        store = await work.write()
        return await self._sessions.end_others(store.sessions, store.revocations, account_id, current)
