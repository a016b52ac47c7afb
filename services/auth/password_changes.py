"""Owns the change of a password by its owner: who knows the present one, or who has the link that recovery mailed.

Either way every session ends, links mailed and challenges given before are void, and the owner is told. A change goes
on in a new session no fresher than the one it was made from; a reset opens none, so that the next sign-in wants the
second factor as ever (ASVS 5.0 6.4.3). Recovery works the same, answers the same and takes as long for an address that
nobody has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.auth import email_address, mail_tokens
from services.auth.errors import BAD_CREDENTIALS, PASSWORD_TOO_SHORT, PASSWORD_WRONG, TOKEN_NOT_VALID
from services.auth.factors import holdings
from services.auth.mail import PASSWORD_CHANGED, PASSWORD_RESET, RECOVER, Outgoing
from services.auth.throttle import Who
from services.auth.throttle_rules import Action
from services.kit.faults import SESSION_ENDED, Fault

if TYPE_CHECKING:
    from services.auth.accounts import Account, Trail
    from services.auth.arrivals import Arrivals, Visitor
    from services.auth.email_address import EmailAddress
    from services.auth.mail_tokens import MailTokens
    from services.auth.passwords import PasswordHash, Passwords
    from services.auth.sessions import Opened, Sessions
    from services.auth.store import Readable, Store, Work
    from services.auth.throttle import Throttle
    from services.kit.clock import Clock
    from services.kit.ids import Ids
    from services.kit.secret import Secret

_FIELD = "new_password"
NOBODY = ""
"""Whose mail is queued and dropped when there is nobody to send it to: the call works as for somebody."""


class PasswordChanges:
    """Changes passwords."""

    def __init__(
        self,
        passwords: Passwords,
        sessions: Sessions,
        arrivals: Arrivals,
        throttle: Throttle,
        tokens: MailTokens,
        clock: Clock,
        ids: Ids,
    ) -> None:
        """Take the collaborators."""
        self._passwords, self._sessions, self._arrivals = passwords, sessions, arrivals
        self._throttle, self._tokens = throttle, tokens
        self._clock, self._ids = clock, ids

    async def change(self, work: Work, account_id: str, session_id: str, current: Secret, new: Secret) -> Opened:
        """Change the password of who is signed in; returns the session that takes the place of this one.

        Raises:
            Fault: The new password is refused, PASSWORD_WRONG, THROTTLED, OVERLOADED or SESSION_ENDED.
        """
        session = await self._sessions.get(work, session_id)
        account, stored, least = await _known(work, account_id)
        with self._passwords.desk() as desk:
            await desk.require(new, email_address.parse(account.email), least=least, field=_FIELD)
            async with self._throttle.attempt(Action.SIGN_IN, Who(account.lookup, device=session_id)):
                try:
                    await desk.check(current, stored)
                except Fault as fault:
                    raise (_wrong() if fault.reason is BAD_CREDENTIALS else fault) from None
            hashed = await desk.hash(new)
        store = await self._begun(work, account_id, least)
        if stored is None or not await store.accounts.replace_password(account_id, stored, hashed):
            raise _wrong()  # somebody else's change came first
        if not await self._sessions.end(store.sessions, store.revocations, session_id):
            raise Fault(SESSION_ENDED)
        await self._settle(store, account_id, PASSWORD_CHANGED)
        return await self._sessions.succeed(store.sessions, session)

    async def recover(self, work: Work, trail: Trail, email: EmailAddress, visitor: Visitor) -> None:
        """Mail a link to choose a new password, if somebody with a confirmed address is there to get it.

        Raises:
            Fault: THROTTLED; never about the address.
        """
        trail.otherwise = self._throttle.pretend
        async with work.read() as store:
            account, _ = await store.accounts.credentials(email.lookup) or (None, None)
            device = await self._arrivals.device(store, account.account_id if account else "", visitor)
        if account is not None:
            trail.subject = account.account_id
        await self._throttle.spend(Action.RECOVER, Who(email.lookup, visitor.address, device))
        allowed = await self._throttle.allows(Action.MAIL, Who(email.lookup))
        recipient = account.account_id if account is not None and _may_recover(account) else NOBODY
        if not allowed and not device:  # strangers may have used up what the inbox takes; its owner's device still may
            recipient = NOBODY
        write = await work.write()
        await write.mail.add(Outgoing(self._ids.new("mai"), recipient, RECOVER, reference="", due=self._clock.now()))

    async def reset(self, work: Work, trail: Trail, token: Secret, new: Secret) -> int:
        """Set the password of whose mailbox the token came from; returns how many sessions ended.

        Raises:
            Fault: TOKEN_NOT_VALID, the new password is refused, or OVERLOADED.
        """
        with self._passwords.desk() as desk:
            async with work.read() as store:
                found = await self._tokens.find(store.mail_tokens, mail_tokens.RECOVER, token)
            account, _, least = await _known(work, found.account_id)
            trail.subject = account.account_id
            if not _may_recover(account):
                raise Fault(TOKEN_NOT_VALID, field="token")
            await desk.require(new, email_address.parse(account.email), least=least, field=_FIELD)
            hashed = await desk.hash(new)
        await self._throttle.reopen(account.lookup)
        write = await self._begun(work, account.account_id, least)
        await self._tokens.use(write.mail_tokens, mail_tokens.RECOVER, token)
        await write.accounts.set_password(account.account_id, hashed)
        return await self._settle(write, account.account_id, PASSWORD_RESET)

    async def _begun(self, work: Work, account_id: str, least: int) -> Store:
        """Begin the change, one at a time for each account: the password must not be too short for what it has now."""
        store = await work.write()
        await store.accounts.lock(account_id)
        if (await holdings.of(store, account_id)).least_password > least:
            raise Fault(PASSWORD_TOO_SHORT, field=_FIELD)
        return store

    async def _settle(self, store: Store, account_id: str, notice: str) -> int:
        now = self._clock.now()
        await store.mail_tokens.drop(account_id, now)
        await store.email_changes.drop(account_id, now)
        await store.factors.challenges.drop(account_id)
        await store.mail.add(Outgoing(self._ids.new("mai"), account_id, notice, reference="", due=now))
        return await self._sessions.end_all(store.sessions, store.revocations, account_id)


async def _known(work: Readable, account_id: str) -> tuple[Account, PasswordHash | None, int]:
    """Return an account, its password, and how many code points the next one needs."""
    async with work.read() as store:
        account = await store.accounts.get(account_id)
        stored = await store.accounts.password_of(account_id)
        least = (await holdings.of(store, account_id)).least_password
    if account is None:
        raise Fault(SESSION_ENDED)
    return account, stored, least


def _may_recover(account: Account) -> bool:
    return account.confirmed is not None and account.disabled is None


def _wrong() -> Fault:
    return Fault(PASSWORD_WRONG, field="current_password")
