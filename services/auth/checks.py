"""Owns auth's live checks: what the security page says of it, counted in its own store, with no account of its own.

``auth.password_parameters``: passwords hashed below the floor, or whose pepper is lost. ``auth.longest_idle_session``:
sessions that validation would accept although they idled for longer than promised.
``auth.revoked_sessions_validate``: sessions revoked within a day that validation would accept.
``auth.links_without_consent``: links connected before or without a recorded consent. ``auth.link_tokens_unsealed``:
tokens of third parties that are kept in the clear. Each must be 0. ``auth.mail_waiting``: for how many minutes the
oldest mail has waited; notices of new devices are among them.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

from services.auth.passwords import FLOOR_MEMORY_KIB, FLOOR_TIME_COST
from services.auth.sessions import MAX_ABSOLUTE, MAX_IDLE
from services.kit.checks import Check

if TYPE_CHECKING:
    from collections.abc import Container

    from services.auth.sessions import Sessions
    from services.auth.store import Units
    from services.kit.clock import Clock

_PAGE = 500
_RECENT = timedelta(days=1)
_PARAMETERS = re.compile(r"\$argon2id\$v=19\$m=(\d+),t=(\d+),p=1")


class AccountChecks:
    """What the checks measure."""

    def __init__(self, units: Units, sessions: Sessions, pepper: Container[str], clock: Clock) -> None:
        """Take the collaborators.

        Args:
            units: Transactions.
            sessions: The validation that is checked: the one every call goes through.
            pepper: The ids of the pepper keys there are.
            clock: The clock.
        """
        self._units, self._sessions, self._pepper, self._clock = units, sessions, pepper, clock

    def all(self) -> tuple[Check, ...]:
        """Return the checks."""
        return (
            Check("auth.password_parameters", self.passwords_below_floor),
            Check("auth.longest_idle_session", self.sessions_idle_too_long),
            Check("auth.revoked_sessions_validate", self.revoked_sessions),
            Check("auth.links_without_consent", self.links_without_consent),
            Check("auth.link_tokens_unsealed", self.tokens_unsealed),
            Check("auth.mail_waiting", self.mail_waiting),
        )

    async def passwords_below_floor(self) -> int:
        """Count passwords hashed below the floor or with a pepper key that is lost."""
        async with self._units.read() as store:
            rows = await store.accounts.parameters_in_use()
        return sum(count for parameters, pepper, count in rows if not _strong(parameters) or pepper not in self._pepper)

    async def sessions_idle_too_long(self) -> int:
        """Count sessions that validation accepts after 1800 s without recorded activity, or 12 h after sign-in."""
        count, after = 0, ""
        while True:
            async with self._units.read() as store:
                page = await store.sessions.not_ended(self._clock.now() - MAX_ABSOLUTE, after, _PAGE)
            for stored in page:
                session, now = await self._sessions.known(stored), self._clock.now()
                overdue = now - session.active >= MAX_IDLE or now - session.opened >= MAX_ABSOLUTE
                count += overdue and self._sessions.alive(session, now)
            if len(page) < _PAGE:
                return count
            after = page[-1].session_id

    async def revoked_sessions(self) -> int:
        """Count sessions revoked within a day that are not shown as ended, and so could validate."""
        async with self._units.read() as store:
            return await store.revocations.still_open(self._clock.now() - _RECENT)

    async def links_without_consent(self) -> int:
        """Count links connected before or without a recorded consent."""
        async with self._units.read() as store:
            return await store.links.without_consent()

    async def tokens_unsealed(self) -> int:
        """Count tokens of third parties, in use or waiting to be revoked, that are not sealed."""
        async with self._units.read() as store:
            return await store.links.unsealed()

    async def mail_waiting(self) -> int:
        """Return for how many whole minutes the oldest mail has waited."""
        async with self._units.read() as store:
            oldest = await store.mail.oldest()
        return 0 if oldest is None else max(0, (self._clock.now() - oldest) // timedelta(minutes=1))


def _strong(parameters: str) -> bool:
    found = _PARAMETERS.fullmatch(parameters)
    return found is not None and int(found[1]) >= FLOOR_MEMORY_KIB and int(found[2]) >= FLOOR_TIME_COST
