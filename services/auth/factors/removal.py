"""Owns removing factors and the password. Must never leave an account that nobody can sign in to, or a weaker password.

A password that was chosen beside a second factor may be as short as 8; alone it needs 15. How long the present one is
nobody knows any more, so whoever removes the last second factor chooses a password in the same call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.auth import email_address
from services.auth.errors import FACTOR_NOT_FOUND, PASSKEY_REQUIRED, PASSWORD_REQUIRED
from services.auth.factors import holdings
from services.auth.mail import FACTOR_REMOVED, PASSWORD_REMOVED
from services.kit.faults import NOT_FOUND, SESSION_ENDED, Fault

if TYPE_CHECKING:
    from services.auth.factors.changes import Changes
    from services.auth.passwords import PasswordHash, Passwords
    from services.auth.store import Store, Work
    from services.kit.clock import Clock
    from services.kit.secret import Secret

NEW_PASSWORD = "new_password"  # noqa: S105 - the name of a field


class Removal:
    """Removes factors from the account of who is signed in."""

    def __init__(self, passwords: Passwords, changes: Changes, clock: Clock) -> None:
        """Take the collaborators."""
        self._passwords, self._changes, self._clock = passwords, changes, clock

    async def remove_totp(self, work: Work, account_id: str, session_id: str, new_password: Secret | None) -> None:
        """Remove the authenticator app.

        Raises:
            Fault: FACTOR_NOT_FOUND, PASSWORD_REQUIRED, OVERLOADED, or what a password is refused for.
        """
        hashed = await self._hashed(work, account_id, new_password)
        store = await self._begun(work, account_id)
        if not await store.factors.totp.remove(account_id):
            raise Fault(FACTOR_NOT_FOUND)
        await self._removed(store, account_id, session_id, hashed)

    async def remove_passkey(
        self, work: Work, account_id: str, session_id: str, passkey_id: str, new_password: Secret | None
    ) -> None:
        """Remove a passkey.

        Raises:
            Fault: FACTOR_NOT_FOUND, PASSWORD_REQUIRED, OVERLOADED, or what a password is refused for.
        """
        hashed = await self._hashed(work, account_id, new_password)
        store = await self._begun(work, account_id)
        if not await store.factors.passkeys.remove(account_id, passkey_id):
            raise Fault(FACTOR_NOT_FOUND)
        await self._removed(store, account_id, session_id, hashed)

    async def remove_password(self, work: Work, account_id: str, session_id: str) -> None:
        """Remove the password of an account that a passkey alone can sign in to.

        Raises:
            Fault: PASSKEY_REQUIRED, or NOT_FOUND: there is no password.
        """
        store = await self._begun(work, account_id)
        held = await holdings.of(store, account_id)
        if not held.has_password:
            raise Fault(NOT_FOUND)
        if not held.alone:
            raise Fault(PASSKEY_REQUIRED)
        await store.accounts.set_password(account_id, None)
        await self._changes.follow(store, account_id, session_id, PASSWORD_REMOVED)

    async def _hashed(self, work: Work, account_id: str, new_password: Secret | None) -> PasswordHash | None:
        if new_password is None:
            return None
        async with work.read() as store:
            account = await store.accounts.get(account_id)
        if account is None:
            raise Fault(SESSION_ENDED)
        email = email_address.parse(account.email)
        with self._passwords.desk() as desk:
            await desk.require(new_password, email, field=NEW_PASSWORD)
            return await desk.hash(new_password)

    async def _begun(self, work: Work, account_id: str) -> Store:
        """Begin the change: one at a time for each account."""
        store = await work.write()
        await store.accounts.lock(account_id)
        return store

    async def _removed(self, store: Store, account_id: str, session_id: str, hashed: PasswordHash | None) -> None:
        held = await holdings.of(store, account_id)
        can_sign_in = held.has_password or bool(held.alone)
        if hashed is None and not (held.has_second and can_sign_in):
            raise Fault(PASSWORD_REQUIRED, field=NEW_PASSWORD)
        if hashed is not None:
            await store.accounts.set_password(account_id, hashed)
        if not held.has_second:
            await store.factors.recovery_codes.replace(account_id, (), self._clock.now())
        await self._changes.follow(store, account_id, session_id, FACTOR_REMOVED)
