"""Owns an account's standing, as operators see and change it. Must never show or change a credential.

A disabled account cannot be told from one that does not exist: signing in is refused like a wrong password, with the
same work, and no mail that could let somebody in is sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from services.auth.erasures.erasure import State
from services.auth.errors import ERASURE_BEGUN
from services.auth.mail import ACCOUNT_DISABLED, Outgoing
from services.kit.faults import INVALID_ARGUMENT, NOT_FOUND, Fault

if TYPE_CHECKING:
    from datetime import datetime

    from services.auth.accounts import Account, Trail
    from services.auth.email_address import EmailAddress
    from services.auth.sessions import Sessions
    from services.auth.store import Store, Work
    from services.kit.clock import Clock
    from services.kit.ids import Ids

CERTIFICATE_LIFETIME = timedelta(hours=24)


class Cause(StrEnum):
    """Why an account is disabled."""

    OWNER = "owner"
    COMPROMISED = "compromised"
    ABUSE = "abuse"
    LEGAL = "legal"


@dataclass(frozen=True)
class Standing:
    """An account and how many of its sessions may still be alive."""

    account: Account
    open_sessions: int


class Standings:
    """Finds, disables and enables accounts, and ends their sessions."""

    def __init__(self, sessions: Sessions, clock: Clock, ids: Ids) -> None:
        """Take the collaborators."""
        self._sessions, self._clock, self._ids = sessions, clock, ids

    def require_short(self, not_after: datetime) -> None:
        """Check that a certificate ends within 24 hours.

        Raises:
            Fault: INVALID_ARGUMENT.
        """
        now = self._clock.now()
        if not now < not_after <= now + CERTIFICATE_LIFETIME:
            raise Fault(INVALID_ARGUMENT, field="not_after")

    async def find(self, work: Work, trail: Trail, wanted: str | EmailAddress) -> Standing:
        """Return the account with this id or address; it is on its owner's trail.

        Raises:
            Fault: NOT_FOUND.
        """
        async with work.read() as store:
            if isinstance(wanted, str):
                account = await store.accounts.get(wanted)
            else:
                account = await store.lifecycle.standings.find(wanted.lookup)
            if account is None:
                raise Fault(NOT_FOUND)
            trail.subject = account.account_id
            return await self._standing(store, account)

    async def disable(self, work: Work, trail: Trail, account_id: str, cause: Cause) -> tuple[Standing, int]:
        """Disable an account and end its sessions; returns how many. Its owner is told, unless the cause is legal.

        Raises:
            Fault: NOT_FOUND.
        """
        store, now = await work.write(), self._clock.now()
        before = await store.accounts.get(account_id)
        if before is None or not await store.lifecycle.standings.disable(account_id, cause.value, now):
            raise Fault(NOT_FOUND)
        trail.subject = account_id
        if before.disabled is None and before.confirmed is not None and cause is not Cause.LEGAL:
            await store.mail.add(Outgoing(self._ids.new("mai"), account_id, ACCOUNT_DISABLED, reference="", due=now))
        ended = await self._sessions.end_all(store.sessions, store.revocations, account_id)
        return await self._after(store, account_id), ended

    async def enable(self, work: Work, trail: Trail, account_id: str) -> Standing:
        """Enable an account; its sessions stay ended.

        Raises:
            Fault: NOT_FOUND, or ERASURE_BEGUN: there is no way back.
        """
        store = await work.write()
        erasure = await store.lifecycle.erasures.get(account_id)
        if erasure is not None and erasure.state is not State.REQUESTED:
            raise Fault(ERASURE_BEGUN)
        if not await store.lifecycle.standings.enable(account_id):
            raise Fault(NOT_FOUND)
        trail.subject = account_id
        return await self._after(store, account_id)

    async def end_sessions(self, work: Work, trail: Trail, account_id: str) -> int:
        """End all sessions of an account; returns how many.

        Raises:
            Fault: NOT_FOUND.
        """
        store = await work.write()
        if await store.accounts.get(account_id) is None:
            raise Fault(NOT_FOUND)
        trail.subject = account_id
        return await self._sessions.end_all(store.sessions, store.revocations, account_id)

    async def _after(self, store: Store, account_id: str) -> Standing:
        account = await store.accounts.get(account_id)
        if account is None:
            raise Fault(NOT_FOUND)
        return await self._standing(store, account)

    async def _standing(self, store: Store, account: Account) -> Standing:
        return Standing(account, len(await store.sessions.open_of(account.account_id, self._clock.now())))
