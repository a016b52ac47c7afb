"""Owns authenticator apps (TOTP, RFC 6238): their seeds and which codes count. Must never accept a step twice.

Six digits, 30 seconds, HMAC-SHA-1 with a seed of 160 bits: what every app understands (RFC 4226 section 4, R6). The
seed is stored sealed under the account's key. Only the code of the present step signs in: it lives 30 seconds (ASVS
6.5.5). Where an app is turned on, one of the step before or after shows as well that the seed has arrived.
Accepted steps only rise (RFC 6238 section 5.2, ASVS 6.5.1): neither this code nor one before it works again.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

import pyotp
from pyotp.exceptions import OTPVerificationError

from services.auth.errors import SECOND_FACTOR_NOT_VALID, TOTP_NOT_BEGUN
from services.kit.envelope import context, seal, unseal
from services.kit.faults import ALREADY_EXISTS, Fault
from services.kit.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.auth.factors.store import TotpStore
    from services.kit.clock import Clock

SEED_BYTES = 20
ENROLMENT_SKEW = 1
"""Steps that the code which turns an app on may be off: it signs nobody in."""
WAITS = timedelta(minutes=15)
"""How long a seed waits for its first code."""
_SEED = "valv/auth/totp/v1"


class Keys(Protocol):
    """A key per account, in the keys database."""

    async def get(self, owner: str) -> bytes | None:
        """Return the account's key; None when there is none any more."""
        ...

    async def get_or_create(self, owner: str) -> bytes:
        """Return the account's key, made at first use."""
        ...


@dataclass(frozen=True)
class Authenticator:
    """An authenticator app as stored."""

    account_id: str
    sealed: bytes = field(repr=False)
    begun: datetime
    confirmed: datetime | None
    last_step: int
    """The latest accepted step; -1 before the first."""


@dataclass(frozen=True)
class Enrolment:
    """What the person takes into their app. It is shown once."""

    secret: Secret
    """Base 32."""
    uri: Secret
    """The same as an otpauth URI."""


class Totp:
    """Enrols apps and reads their codes."""

    def __init__(self, keys: Keys, clock: Clock, entropy: Callable[[int], bytes], product: str) -> None:
        """Take the collaborators; ``product`` is the name that the app shows."""
        self._keys, self._clock, self._entropy, self._product = keys, clock, entropy, product

    async def make(self, account_id: str, email: str) -> tuple[bytes, Enrolment]:
        """Return a new seed, sealed, and what the person gets of it."""
        seed = self._entropy(SEED_BYTES)
        sealed = seal(await self._keys.get_or_create(account_id), seed, context(_SEED, account_id))
        app = _app(seed)
        uri = app.provisioning_uri(name=email, issuer_name=self._product)
        return sealed, Enrolment(Secret(app.secret), Secret(uri))

    async def begin(self, store: TotpStore, account_id: str, sealed: bytes) -> None:
        """Let a seed wait for its first code.

        Raises:
            Fault: ALREADY_EXISTS: the account has an app.
        """
        if not await store.begin(account_id, sealed, self._clock.now()):
            raise Fault(ALREADY_EXISTS)

    async def read(self, app: Authenticator, code: Secret, skew: int = 0) -> int:
        """Return the step that a code belongs to. It counts only once the store has taken that step.

        Raises:
            Fault: SECOND_FACTOR_NOT_VALID.
        """
        key = await self._keys.get(app.account_id)
        if key is None:
            raise Fault(SECOND_FACTOR_NOT_VALID)
        seed = unseal(key, app.sealed, context(_SEED, app.account_id))
        text = "".join(code.text().split())
        try:
            return _app(seed).verify_and_get_timecode(text, for_time=self._clock.now(), valid_window=skew)
        except OTPVerificationError:
            raise Fault(SECOND_FACTOR_NOT_VALID) from None

    async def confirm(self, store: TotpStore, app: Authenticator, step: int) -> None:
        """Turn an app on, with the step of its first code.

        Raises:
            Fault: TOTP_NOT_BEGUN: it was confirmed or begun anew meanwhile.
        """
        if not await store.confirm(app.account_id, app.sealed, step, self._clock.now()):
            raise Fault(TOTP_NOT_BEGUN)

    async def accept(self, store: TotpStore, app: Authenticator, step: int) -> None:
        """Take a step.

        Raises:
            Fault: SECOND_FACTOR_NOT_VALID: this one or a later one was taken before.
        """
        if not await store.accept(app.account_id, app.sealed, step):
            raise Fault(SECOND_FACTOR_NOT_VALID)

    def waits(self, app: Authenticator | None) -> Authenticator:
        """Return an app that waits for its first code.

        Raises:
            Fault: TOTP_NOT_BEGUN: there is none, or it has waited too long.
        """
        if app is None or app.confirmed is not None or self._clock.now() >= app.begun + WAITS:
            raise Fault(TOTP_NOT_BEGUN)
        return app


def _app(seed: bytes) -> pyotp.TOTP:
    return pyotp.TOTP(base64.b32encode(seed).decode())
