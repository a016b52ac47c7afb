"""Owns to whom a queued mail goes, and what it tells them: looked up when it is sent, since the queue holds ids only.

Tokens are minted here, into the link's fragment; the database gets their hash in the same transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.auth import mail_tokens, mail_words
from services.auth.mail import (
    ACCOUNT_DISABLED,
    CONFIRM,
    EMAIL_CHANGE,
    EMAIL_CHANGE_NOTICE,
    EMAIL_CHANGED,
    EMAIL_CHANGED_OLD,
    ERASURE_DONE,
    ERASURE_REQUESTED,
    NEW_DEVICE,
    RECOVER,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.auth.accounts import Account
    from services.auth.mail import Outgoing
    from services.auth.mail_tokens import MailTokens
    from services.auth.store import Store

_LINKS = {
    CONFIRM: (mail_tokens.CONFIRM, "confirm"),
    RECOVER: (mail_tokens.RECOVER, "reset"),
    EMAIL_CHANGE: (mail_tokens.EMAIL_CHANGE, "confirm-change"),
}
"""Templates with a link: what its token is for, and the page that takes it."""


_CHANGES = {EMAIL_CHANGE, EMAIL_CHANGE_NOTICE, EMAIL_CHANGED, EMAIL_CHANGED_OLD}


@dataclass(frozen=True)
class Addressed:
    """Whom a mail goes to and what its template names."""

    email: str
    locale: str
    values: Mapping[str, str]


class Addressing:
    """Finds the recipient and the values of a mail."""

    def __init__(self, tokens: MailTokens, public_url: str) -> None:
        """Take what mints tokens and what links begin with."""
        self._tokens, self._public_url = tokens, public_url

    async def address(self, store: Store, mail: Outgoing) -> Addressed | None:
        """Return whom a mail goes to; None when there is nobody to tell any more, or nothing."""
        account = await store.accounts.get(mail.account_id)
        if account is None or (mail.template == CONFIRM and account.confirmed is not None):
            return None
        email, values = account.email, {"email": account.email, "url": self._public_url}
        if mail.template in _CHANGES:
            change = await store.email_changes.get(mail.reference)
            if change is None:
                raise LookupError("the change of address that a mail is about is gone")
            if mail.template == EMAIL_CHANGE and change.closed is not None:
                return None
            email = change.email if mail.template in (EMAIL_CHANGE, EMAIL_CHANGED) else change.old_email
            values |= {"email": email, "old": change.old_email, "new": change.email}
        if mail.template in _LINKS:
            purpose, page = _LINKS[mail.template]
            token = await self._tokens.mint(store.mail_tokens, purpose, mail.account_id, mail.reference)
            values["link"] = f"{self._public_url}/{page}#token={token.text()}"
        about = await _about(store, mail, account)
        return None if about is None else Addressed(email, account.locale, {**values, **about})


async def _about(store: Store, mail: Outgoing, account: Account) -> Mapping[str, str] | None:
    """Return what a mail tells besides; None when what it is about was taken back."""
    if mail.template in (ERASURE_REQUESTED, ERASURE_DONE):
        return await _erasure(store, account)
    if mail.template == ACCOUNT_DISABLED:
        why = mail_words.why_disabled(account.disabled_because, account.locale)
        return None if why is None else {"why": why}
    return await _device(store, mail, account) if mail.template == NEW_DEVICE else {}


async def _erasure(store: Store, account: Account) -> Mapping[str, str] | None:
    erasure = await store.lifecycle.erasures.get(account.account_id)
    if erasure is None:
        return None
    blocked = [item for part in await store.lifecycle.erasures.parts(account.account_id) for item in part.blocked]
    return {"due": mail_words.moment(erasure.due), "kept": mail_words.kept(blocked, account.locale)}


async def _device(store: Store, mail: Outgoing, account: Account) -> Mapping[str, str]:
    session = await store.sessions.get(mail.reference)
    if session is None:
        raise LookupError("the session of a notice is gone")
    return {
        "time": mail_words.moment(session.opened),
        "device": mail_words.device(session.device, account.locale),
        "place": mail_words.place(session.place, account.locale),
    }
