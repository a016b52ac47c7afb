"""Owns what the factors ask of their stores: one narrow protocol per kind, all over the call's transaction.

Each method that uses something up is one conditional statement: of racing calls exactly one gets it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from services.auth.factors.challenges import Challenge
    from services.auth.factors.passkeys import Passkey
    from services.auth.factors.totp import Authenticator


class TotpStore(Protocol):
    """Authenticator apps: one per account, counting from when it is confirmed."""

    async def find(self, account_id: str) -> Authenticator | None:
        """Return the account's app, confirmed or not."""
        ...

    async def begin(self, account_id: str, sealed: bytes, now: datetime) -> bool:
        """Keep a seed that waits to be confirmed, in place of one that waited; False when one is confirmed."""
        ...

    async def confirm(self, account_id: str, sealed: bytes, step: int, now: datetime) -> bool:
        """Confirm the seed that waits, if it is still this one; its first accepted step is this one."""
        ...

    async def accept(self, account_id: str, sealed: bytes, step: int) -> bool:
        """Take a step of a confirmed app if it is later than every step taken before."""
        ...

    async def remove(self, account_id: str) -> bool:
        """Remove a confirmed app; False when there is none."""
        ...


class PasskeyStore(Protocol):
    """Passkeys: any number per account."""

    async def add(self, passkey: Passkey) -> bool:
        """Add a passkey; False when its credential is known, whoever has it."""
        ...

    async def of(self, account_id: str) -> Sequence[Passkey]:
        """Return an account's passkeys, oldest first."""
        ...

    async def by_credential(self, credential_id: bytes) -> Passkey | None:
        """Return the passkey of a credential."""
        ...

    async def used(self, passkey_id: str, sign_count: int, now: datetime) -> bool:
        """Record a use if its count is higher than the one before, or the authenticator does not count (both 0)."""
        ...

    async def rename(self, account_id: str, passkey_id: str, display_name: str) -> bool:
        """Rename an account's passkey; False when it has none of that id."""
        ...

    async def remove(self, account_id: str, passkey_id: str) -> bool:
        """Remove an account's passkey; False when it has none of that id."""
        ...


class RecoveryCodeStore(Protocol):
    """Recovery codes, as keyed hashes."""

    async def replace(self, account_id: str, digests: Sequence[bytes], now: datetime) -> None:
        """Put these in place of all that there were; none removes them."""
        ...

    async def has(self, account_id: str, digest: bytes) -> bool:
        """Tell whether a code is known and not used."""
        ...

    async def use(self, account_id: str, digest: bytes, now: datetime) -> bool:
        """Use a code up; False when it is unknown or used."""
        ...

    async def left(self, account_id: str) -> int:
        """Count the codes that are not used."""
        ...


class ChallengeStore(Protocol):
    """Challenges, by the hash of what their holder was given."""

    async def add(self, challenge: Challenge, challenge_hash: bytes) -> None:
        """Keep a challenge."""
        ...

    async def attempt(self, challenge_hash: bytes, now: datetime, limit: int) -> Challenge | None:
        """Count an attempt at a challenge that is not used, not too old and has attempts left, and return it."""
        ...

    async def use(self, challenge_hash: bytes, now: datetime) -> bool:
        """Use a challenge up; False when it is unknown, used or too old."""
        ...

    async def drop(self, account_id: str) -> None:
        """Drop an account's challenges: what they stand for is no longer so."""
        ...


class FactorStore(Protocol):
    """All stores of factors over one transaction."""

    async def has_second(self, account_id: str) -> bool:
        """Tell whether an account has a confirmed app or a passkey."""
        ...

    @property
    def totp(self) -> TotpStore:
        """Authenticator apps."""
        ...

    @property
    def passkeys(self) -> PasskeyStore:
        """Passkeys."""
        ...

    @property
    def recovery_codes(self) -> RecoveryCodeStore:
        """Recovery codes."""
        ...

    @property
    def challenges(self) -> ChallengeStore:
        """Challenges."""
        ...
