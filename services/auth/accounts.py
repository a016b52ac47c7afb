"""Owns signing up, confirming and signing in. Must never answer otherwise, or work less, for an unknown address.

The password of a sign-up is kept with that sign-up, and becomes the account's only through the link in the mail that
this very sign-up sent: who signs up first with somebody else's address gains nothing. No account has one before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from services.auth import mail_tokens
from services.auth.errors import LOCALE_NOT_SUPPORTED, TOKEN_NOT_VALID
from services.auth.mail import CONFIRM, LOCALES, SIGN_UP_ATTEMPT, Outgoing
from services.auth.throttle import Who
from services.auth.throttle_rules import Action
from services.kit.faults import SESSION_ENDED, Fault

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from services.auth.arrivals import Arrivals, Arrived, Visitor
    from services.auth.email_address import EmailAddress
    from services.auth.factors.steps import Next, Steps
    from services.auth.mail_tokens import MailTokens
    from services.auth.passwords import Desk, PasswordHash, Passwords
    from services.auth.store import Work
    from services.auth.throttle import Throttle
    from services.kit.clock import Clock
    from services.kit.ids import Ids
    from services.kit.secret import Secret


@dataclass(frozen=True)
class Account:
    """An account."""

    account_id: str
    email: str
    """For people and for mail, as written at sign-up."""
    lookup: str
    """What it is found by."""
    locale: str
    created: datetime
    confirmed: datetime | None = None
    disabled: datetime | None = None
    """Since when nobody gets in, with whatever they know."""
    disabled_because: str = ""


class Trail(Protocol):
    """The audit record of the call: whom it concerns."""

    subject: str
    otherwise: Callable[[], Awaitable[None]] | None
    """Done in place of a refusal's record when the refusal is only counted."""


class Accounts:
    """Signs people up and in."""

    def __init__(
        self,
        passwords: Passwords,
        arrivals: Arrivals,
        steps: Steps,
        throttle: Throttle,
        tokens: MailTokens,
        clock: Clock,
        ids: Ids,
    ) -> None:
        """Take the collaborators."""
        self._passwords, self._arrivals, self._steps = passwords, arrivals, steps
        self._throttle, self._tokens, self._clock, self._ids = throttle, tokens, clock, ids

    async def sign_up(
        self, work: Work, trail: Trail, email: EmailAddress, password: Secret, locale: str, address: str
    ) -> None:
        """Begin an account, or tell the owner of the address by mail that somebody tried to.

        Raises:
            Fault: The language or the password is refused, THROTTLED or OVERLOADED; never about the address.
        """
        if locale not in LOCALES:
            raise Fault(LOCALE_NOT_SUPPORTED, field="locale")
        with self._passwords.desk() as desk:
            await self._throttle.spend(Action.SIGN_UP, Who(email.lookup, address))
            await desk.require(password, email)
            mailed = await self._throttle.allows(Action.MAIL, Who(email.lookup))
            hashed = await desk.hash(password)
        store, now = await work.write(), self._clock.now()
        account = await store.accounts.ensure(
            Account(self._ids.new("usr"), email.display, email.lookup, locale, created=now)
        )
        trail.subject = account.account_id
        if not mailed:
            return
        mail = Outgoing(self._ids.new("mai"), account.account_id, SIGN_UP_ATTEMPT, reference="", due=now)
        if account.confirmed is None:
            mail = replace(mail, template=CONFIRM, reference=self._ids.new("sup"))
            await store.accounts.propose(mail.reference, account.account_id, hashed, now)
        await store.mail.add(mail)

    async def confirm(self, work: Work, trail: Trail, token: Secret) -> None:
        """Confirm an address with the token from its mail.

        Raises:
            Fault: TOKEN_NOT_VALID.
        """
        store = await work.write()
        found = await self._tokens.use(store.mail_tokens, mail_tokens.CONFIRM, token)
        trail.subject = found.account_id
        if not await store.accounts.confirm(found.account_id, found.reference, self._clock.now()):
            raise Fault(TOKEN_NOT_VALID, field="token")

    async def sign_in(
        self, work: Work, trail: Trail, email: EmailAddress, password: Secret, visitor: Visitor
    ) -> Arrived | Next:
        """Open a session for who knows the password of a confirmed account, or ask for their second factor.

        Raises:
            Fault: BAD_CREDENTIALS, THROTTLED or OVERLOADED.
        """
        with self._passwords.desk() as desk:
            trail.otherwise = self._throttle.pretend  # not for what is shed: that must cost nothing
            account, stored, who = await self._find(work, trail, email, visitor)
            fresh = await self._check(desk, who, password, stored)
            if account is None or stored is None:
                raise RuntimeError("a password was accepted for nobody")
        store = await work.write()
        if fresh is not None:
            await store.accounts.replace_password(account.account_id, stored, fresh)
        return await self._steps.after_password(store, account.account_id, visitor)

    async def sign_in_again(
        self, work: Work, account_id: str, session_id: str, password: Secret, visitor: Visitor
    ) -> Arrived | Next:
        """Put another session in place of the one that somebody is signed in with, or ask for their second factor.

        Raises:
            Fault: BAD_CREDENTIALS, THROTTLED, OVERLOADED or SESSION_ENDED.
        """
        with self._passwords.desk() as desk:
            async with work.read() as store:
                account = await store.accounts.get(account_id)
                stored = await store.accounts.password_of(account_id)
            if account is None:
                raise Fault(SESSION_ENDED)
            who = Who(account.lookup, visitor.address, session_id)
            fresh = await self._check(desk, who, password, stored)
            if stored is None:
                raise RuntimeError("a password was accepted where there is none")
        store = await work.write()
        if fresh is not None:
            await store.accounts.replace_password(account_id, stored, fresh)
        return await self._steps.after_password(store, account_id, visitor, session_id)

    async def _check(self, desk: Desk, who: Who, password: Secret, stored: PasswordHash | None) -> PasswordHash | None:
        """Check a password; return its hash made anew where the stored one is outdated."""
        async with self._throttle.attempt(Action.SIGN_IN, who):
            outdated = await desk.check(password, stored)
        return await desk.hash(password) if outdated else None

    async def _find(
        self, work: Work, trail: Trail, email: EmailAddress, visitor: Visitor
    ) -> tuple[Account | None, PasswordHash | None, Who]:
        async with work.read() as store:
            account, stored = await store.accounts.credentials(email.lookup) or (None, None)
            device = await self._arrivals.device(store, account.account_id if account else "", visitor)
        if account is not None:
            trail.subject = account.account_id
            stored = None if account.disabled is not None else stored  # the answer and the work of a wrong password
        return account, stored, Who(email.lookup, visitor.address, device, exists=account is not None)
