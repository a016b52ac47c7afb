"""Owns sessions: when one begins, lives and ends, on the injected clock. Must never keep or return a token twice.

A token is shown once, to its owner; only its SHA-256 is stored. A session is alive while ``now < ends``: 1800 s after
its last recorded activity it is dead, and so it is 12 hours after the sign-in, whatever happens (NIST 800-63B-4 section
2.2.3, ASVS 5.0 7.3.1, 7.3.2). Activity can be lost, never invented: whatever a store forgets ends sessions earlier.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from services.auth import tokens
from services.auth.errors import BAD_CREDENTIALS
from services.kit.faults import SESSION_ENDED, Fault
from services.kit.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.auth.store import Readable, RevocationStore, SessionStore
    from services.kit.clock import Clock
    from services.kit.ids import Ids

_TOKEN = re.compile(r"vst_[A-Za-z0-9_-]{43}")
MAX_IDLE = timedelta(seconds=1800)
MAX_ABSOLUTE = timedelta(hours=12)


class ActivityLost(Exception):  # noqa: N818 - a state of the store: what was to be recorded is not
    """The store of activity is away."""


class Activity(Protocol):
    """The last recorded activity of sessions. It may forget; it never moves backwards and never invents."""

    @property
    def beside_sessions(self) -> bool:
        """Whether a session read from the store comes with its activity."""
        ...

    async def touch(self, session_id: str, now: datetime) -> None:
        """Record activity. Raises ActivityLost when it could not."""
        ...

    async def last(self, session_id: str) -> datetime | None:
        """Return the last recorded activity, or None. Raises ActivityLost when it cannot be read."""
        ...


@dataclass(frozen=True)
class Limits:
    """How long sessions live. They can be made shorter than promised, never longer."""

    idle: timedelta = MAX_IDLE
    absolute: timedelta = MAX_ABSOLUTE

    def __post_init__(self) -> None:
        if not timedelta() < self.idle <= MAX_IDLE or not timedelta() < self.absolute <= MAX_ABSOLUTE:
            raise ValueError("sessions may idle 1800 seconds and live 12 hours at most")


@dataclass(frozen=True)
class Session:
    """A session as stored, with the last activity that is known of it."""

    session_id: str
    account_id: str
    opened: datetime
    """When the person authenticated."""
    closes: datetime
    """Its absolute end."""
    active: datetime
    """Last recorded activity; the sign-in at first."""
    amr: tuple[str, ...]
    """Authentication method references (RFC 8176)."""
    ended: datetime | None = None
    """When it was ended before its time."""
    device: str = ""
    """The coarse class of the device it was opened from."""
    place: str = ""
    """The network it was opened from; see ``places``."""


@dataclass(frozen=True)
class Opened:
    """A new session and its token, which exists nowhere else."""

    session: Session
    token: Secret


class Sessions:
    """Opens, finds, renews and ends sessions."""

    def __init__(
        self, limits: Limits, clock: Clock, ids: Ids, entropy: Callable[[int], bytes], activity: Activity
    ) -> None:
        """Take the collaborators."""
        self._limits, self._clock, self._ids, self._entropy, self._activity = limits, clock, ids, entropy, activity

    async def open(
        self, store: SessionStore, account_id: str, amr: tuple[str, ...], device: str = "", place: str = ""
    ) -> Opened:
        """Open a session for somebody who has just authenticated.

        Raises:
            Fault: BAD_CREDENTIALS: the account was disabled meanwhile.
        """
        now = self._clock.now()
        session = Session(
            session_id=self._ids.new("ses"),
            account_id=account_id,
            opened=now,
            closes=now + self._limits.absolute,
            active=now,
            amr=amr,
            device=device,
            place=place,
        )
        return await self._keep(store, session)

    async def succeed(self, store: SessionStore, session: Session) -> Opened:
        """Open the session that takes the place of one just ended: as old as that one, and closing with it."""
        return await self._keep(store, replace(session, session_id=self._ids.new("ses"), ended=None))

    async def _keep(self, store: SessionStore, session: Session) -> Opened:
        token = tokens.mint("vst_", self._entropy)
        if not await store.insert(session, tokens.digest(token)):
            raise Fault(BAD_CREDENTIALS)
        return Opened(session, Secret(token))

    async def find(self, work: Readable, token: Secret) -> Session:
        """Return the live session of a token. Not activity.

        Raises:
            Fault: SESSION_ENDED: no such token, or its session is dead.
        """
        if not _TOKEN.fullmatch(token.text()):
            raise Fault(SESSION_ENDED)
        async with work.read() as store:
            stored = await self.stored(store.sessions, token)
        return await self._live(stored)

    async def stored(self, store: SessionStore, token: Secret) -> Session | None:
        """Return the session of a token as it is stored, dead or alive; None for what is no token."""
        text = token.text()
        return await store.by_token(tokens.digest(text)) if _TOKEN.fullmatch(text) else None

    async def get(self, work: Readable, session_id: str) -> Session:
        """Return a live session by its id. Not activity.

        Raises:
            Fault: SESSION_ENDED.
        """
        async with work.read() as store:
            stored = await store.sessions.get(session_id)
        return await self._live(stored)

    async def touch(self, session: Session) -> Session:
        """Record activity of a session just found alive. When it cannot be recorded, the session keeps its end.

        Raises:
            Fault: SESSION_ENDED: it died meanwhile.
        """
        now = self._clock.now()
        if not self.alive(session, now):
            raise Fault(SESSION_ENDED)
        try:
            await self._activity.touch(session.session_id, now)
        except ActivityLost:
            return session
        return _with_activity(session, now)

    async def end(self, sessions: SessionStore, revocations: RevocationStore, session_id: str) -> bool:
        """End a session before its time, with the row that tells every service; False when it had ended."""
        now = self._clock.now()
        if not await sessions.end(session_id, now):
            return False
        await revocations.add(session_id, now)
        return True

    async def end_all(self, sessions: SessionStore, revocations: RevocationStore, account_id: str) -> int:
        """End all sessions of an account; returns how many there were."""
        return await self.end_others(sessions, revocations, account_id, keep="")

    async def end_others(self, sessions: SessionStore, revocations: RevocationStore, account_id: str, keep: str) -> int:
        """End all sessions of an account but one; returns how many there were.

        All are ended before the first is told: who ends one of them meanwhile waits, and nobody waits for them.
        """
        now = self._clock.now()
        names = [one.session_id for one in await sessions.open_of(account_id, now) if one.session_id != keep]
        ended = [name for name in names if await sessions.end(name, now)]
        for name in ended:
            await revocations.add(name, now)
        return len(ended)

    def ends(self, session: Session) -> datetime:
        """When a session ends by itself: the earlier of its idle and absolute end."""
        return min(session.active + self._limits.idle, session.closes)

    def alive(self, session: Session, now: datetime) -> bool:
        """Tell whether a session is alive at a time."""
        return session.ended is None and now < self.ends(session)

    async def known(self, session: Session) -> Session:
        """Return a stored session with the last activity that is recorded of it."""
        if self._activity.beside_sessions:
            return replace(session, active=min(session.active, max(session.opened, self._clock.now())))
        try:
            last = await self._activity.last(session.session_id)
        except ActivityLost:
            last = None
        return session if last is None else _with_activity(session, min(last, self._clock.now()))

    async def _live(self, stored: Session | None) -> Session:
        """Ask for the activity when the store's connection is free again: holding two at once can deadlock a pool."""
        if stored is not None and stored.ended is None:
            session = await self.known(stored)
            if self.alive(session, self._clock.now()):
                return session
        raise Fault(SESSION_ENDED)


def _with_activity(session: Session, active: datetime) -> Session:
    return replace(session, active=max(session.active, active))
