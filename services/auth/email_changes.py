"""Owns the change of an account's address: begun by its owner, finished by who reads the new mailbox and is signed in.

Both addresses are told, before and after. Whether the new address has an account already is told to nobody but that
account's owner: the caller's answer and the work are the same. An address that nobody ever confirmed stands in nobody's
way. Must never change an address on a token alone: a mail that went astray by a slip of the finger opens nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.auth import mail_tokens
from services.auth.errors import TOKEN_NOT_VALID
from services.auth.mail import (
    EMAIL_CHANGE,
    EMAIL_CHANGE_NOTICE,
    EMAIL_CHANGED,
    EMAIL_CHANGED_OLD,
    EMAIL_TAKEN,
    Outgoing,
)
from services.auth.throttle import Who
from services.auth.throttle_rules import Action
from services.kit.faults import INVALID_ARGUMENT, SESSION_ENDED, Fault

if TYPE_CHECKING:
    from datetime import datetime

    from services.auth.email_address import EmailAddress
    from services.auth.mail_tokens import MailTokens
    from services.auth.sessions import Sessions
    from services.auth.store import Work
    from services.auth.throttle import Throttle
    from services.kit.clock import Clock
    from services.kit.ids import Ids
    from services.kit.secret import Secret


@dataclass(frozen=True)
class EmailChange:
    """A change of address; the last one begun is the only one that can be finished."""

    change_id: str
    account_id: str
    email: str
    """The new address, for people and for mail."""
    lookup: str
    """What the account will be found by."""
    old_email: str
    begun: datetime
    closed: datetime | None = None
    """When it was finished, or gave way to another."""


@dataclass(frozen=True)
class Moved:
    """What became of a change that was finished."""

    email: str
    ended: int
    """How many sessions ended."""


class EmailChanges:
    """Changes addresses."""

    def __init__(self, sessions: Sessions, throttle: Throttle, tokens: MailTokens, clock: Clock, ids: Ids) -> None:
        """Take the collaborators."""
        self._sessions, self._throttle, self._tokens = sessions, throttle, tokens
        self._clock, self._ids = clock, ids

    async def begin(self, work: Work, account_id: str, new: EmailAddress) -> str:
        """Begin a change; returns its id.

        Raises:
            Fault: INVALID_ARGUMENT: it is the account's own address; THROTTLED. Never about anybody else's.
        """
        async with work.read() as reading:
            account = await reading.accounts.get(account_id)
            holder = await reading.accounts.credentials(new.lookup)
        if account is None:
            raise Fault(SESSION_ENDED)
        if new.lookup == account.lookup:
            raise Fault(INVALID_ARGUMENT, field="new_email")
        await self._throttle.spend(Action.RECOVER, Who(account.lookup, device=account_id))
        mailed = await self._throttle.allows(Action.MAIL, Who(new.lookup))
        store, now = await work.write(), self._clock.now()
        change = EmailChange(self._ids.new("emc"), account_id, new.display, new.lookup, account.email, begun=now)
        await store.email_changes.begin(change)
        to_new = self._mail(account_id, EMAIL_CHANGE, change.change_id)
        if holder is not None and holder[0].confirmed is not None:
            to_new = self._mail(holder[0].account_id, EMAIL_TAKEN, "")
        if mailed:
            await store.mail.add(to_new)
        await store.mail.add(self._mail(account_id, EMAIL_CHANGE_NOTICE, change.change_id))
        return change.change_id

    async def confirm(self, work: Work, account_id: str, session_id: str, token: Secret) -> Moved:
        """Finish a change, with the token from the new mailbox; ends the account's other sessions.

        Raises:
            Fault: TOKEN_NOT_VALID: no such token, another account's, void, or the address was taken meanwhile.
        """
        store, now = await work.write(), self._clock.now()
        found = await self._tokens.use(store.mail_tokens, mail_tokens.EMAIL_CHANGE, token)
        change = await store.email_changes.take(found.reference, account_id, now)
        if change is None or not await store.accounts.move(account_id, change.email, change.lookup):
            raise Fault(TOKEN_NOT_VALID, field="token")
        await store.mail_tokens.drop(account_id, now)
        await store.mail.add(self._mail(account_id, EMAIL_CHANGED, change.change_id))
        await store.mail.add(self._mail(account_id, EMAIL_CHANGED_OLD, change.change_id))
        ended = await self._sessions.end_others(store.sessions, store.revocations, account_id, session_id)
        return Moved(change.email, ended)

    def _mail(self, account_id: str, template: str, reference: str) -> Outgoing:
        return Outgoing(self._ids.new("mai"), account_id, template, reference, due=self._clock.now())
