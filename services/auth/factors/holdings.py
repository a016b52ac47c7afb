"""Owns what an account can sign in with, and what follows from it: what is asked for, how long a password must be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from services.auth.password_policy import MIN_BESIDE_A_FACTOR, MIN_CODE_POINTS

if TYPE_CHECKING:
    from services.auth.factors.passkeys import Passkey
    from services.auth.factors.totp import Authenticator
    from services.auth.store import Store


class Factor(StrEnum):
    """What may be asked for beside, or instead of, a password; the values are authentication method references.

    "otp" and "pop" are RFC 8176's: whether a passkey's key lives in hardware ("hwk") nobody can know without
    attestation. RFC 8176 has no name for recovery codes; "rc" is ours.
    """

    TOTP = "otp"
    PASSKEY = "pop"
    RECOVERY_CODE = "rc"


@dataclass(frozen=True)
class Holdings:
    """What an account has."""

    has_password: bool
    totp: Authenticator | None
    """Its authenticator app, if it is confirmed."""
    passkeys: Sequence[Passkey]
    """Oldest first."""
    recovery_codes: int
    """How many are left."""

    @property
    def has_second(self) -> bool:
        """Whether a password alone does not open a session."""
        return self.totp is not None or bool(self.passkeys)

    @property
    def seconds(self) -> tuple[Factor, ...]:
        """What will do as the second step after a password; empty when none is wanted."""
        if not self.has_second:
            return ()
        offered = (
            (Factor.PASSKEY, bool(self.passkeys)),
            (Factor.TOTP, self.totp is not None),
            (Factor.RECOVERY_CODE, self.recovery_codes > 0),
        )
        return tuple(factor for factor, there in offered if there)

    @property
    def alone(self) -> Sequence[Passkey]:
        """The passkeys that may be the only sign-in: those that verify their user."""
        return [passkey for passkey in self.passkeys if passkey.verifies_user]

    @property
    def least_password(self) -> int:
        """How many code points the account's password needs."""
        return MIN_BESIDE_A_FACTOR if self.has_second else MIN_CODE_POINTS


async def of(store: Store, account_id: str) -> Holdings:
    """Return what an account has."""
    app = await store.factors.totp.find(account_id)
    return Holdings(
        has_password=await store.accounts.password_of(account_id) is not None,
        totp=None if app is None or app.confirmed is None else app,
        passkeys=await store.factors.passkeys.of(account_id),
        recovery_codes=await store.factors.recovery_codes.left(account_id),
    )
