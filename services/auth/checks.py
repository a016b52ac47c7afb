"""Owns auth's live checks: what the security page says of it, counted in its own store, on a schedule, with no account.

``auth.password_parameters``: passwords hashed below the floor, or whose pepper is lost; must be 0.
``auth.longest_idle_session``: sessions that validation would accept although they idled for longer than promised;
must be 0. ``auth.revoked_sessions_validate``: sessions revoked within a day that validation would accept; must be 0.
``auth.links_without_consent``: links connected before or without a recorded consent; must be 0.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from services.auth.passwords import FLOOR_MEMORY_KIB, FLOOR_TIME_COST
from services.auth.sessions import MAX_ABSOLUTE, MAX_IDLE
from services.auth.store import StoreAway

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from services.auth.sessions import Sessions
    from services.auth.store import Units
    from services.kit.clock import Clock

PASSWORD_PARAMETERS = "auth.password_parameters"  # noqa: S105 - the name of a check
LONGEST_IDLE = "auth.longest_idle_session"
REVOKED_VALIDATE = "auth.revoked_sessions_validate"
WITHOUT_CONSENT = "auth.links_without_consent"
JITTER = 0.1
_PAGE = 500
_RECENT = timedelta(days=1)
_PARAMETERS = re.compile(r"\$argon2id\$v=19\$m=(\d+),t=(\d+),p=1")


@dataclass(frozen=True)
class ChecksConfig:
    """How often the checks run."""

    every_seconds: float = 300.0

    def __post_init__(self) -> None:
        if not 1 <= self.every_seconds <= 86400:  # noqa: PLR2004 - a second to a day
            raise ValueError("checks run each 1 to 86400 seconds")


class Checks:
    """Runs the checks and records what they found."""

    def __init__(
        self,
        units: Units,
        sessions: Sessions,
        pepper: Container[str],
        clock: Clock,
        config: ChecksConfig,
        chance: Callable[[], float],
        failed: Callable[[str], None],
    ) -> None:
        """Take the collaborators.

        Args:
            units: Transactions.
            sessions: The validation that is checked: the one every call goes through.
            pepper: The ids of the pepper keys there are.
            clock: The clock.
            config: How often.
            chance: Returns numbers in [0, 1): replicas shall not run together.
            failed: Called with what went wrong, a constant, for the log.
        """
        self._units, self._sessions, self._pepper, self._clock = units, sessions, pepper, clock
        self._config, self._chance, self._failed = config, chance, failed

    async def run(self) -> None:
        """Run all checks, then again after the interval, for ever."""
        while True:
            try:
                await self.step()
            except StoreAway:
                self._failed("live checks could not run")
            spread = 1 + JITTER * (2 * self._chance() - 1)
            await asyncio.sleep(self._config.every_seconds * spread)

    async def step(self) -> None:
        """Run all checks once and record the results."""
        results = {
            PASSWORD_PARAMETERS: await self.passwords_below_floor(),
            LONGEST_IDLE: await self.sessions_idle_too_long(),
            REVOKED_VALIDATE: await self.revoked_sessions(),
            WITHOUT_CONSENT: await self.links_without_consent(),
        }
        async with self._units.write() as store:
            for check, measured in results.items():
                await store.ledger.practice(check, measured, kept=measured == 0)

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


def _strong(parameters: str) -> bool:
    found = _PARAMETERS.fullmatch(parameters)
    return found is not None and int(found[1]) >= FLOOR_MEMORY_KIB and int(found[2]) >= FLOOR_TIME_COST
