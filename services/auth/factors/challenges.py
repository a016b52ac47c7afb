"""Owns challenges: what stands for the steps of a sign-in that were right so far, or for a passkey being added.

A challenge is 256 random bits, given once to who is to answer it and stored only as SHA-256. It is bound to what it is
for, to an account and to the session it was asked from; it is good for five minutes, five attempts and one success
(ASVS 5.0 6.5.1, 6.6.2, 6.6.3, 6.7.2). Attempts are counted and committed before anything is looked at. A passkey signs
the same bits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from services.auth import tokens
from services.auth.errors import CHALLENGE_NOT_VALID
from services.kit.faults import Fault
from services.kit.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.auth.factors.store import ChallengeStore
    from services.kit.clock import Clock

LIFETIME = timedelta(minutes=5)
ATTEMPTS = 5
_FORM = re.compile(r"vch_[A-Za-z0-9_-]{43}")


class Purpose(StrEnum):
    """What a challenge is for."""

    SECOND = "second"
    """The second step of a sign-in whose password was right."""
    ALONE = "alone"
    """A sign-in with a passkey alone."""
    REGISTER = "register"
    """Adding a passkey."""


@dataclass(frozen=True)
class Challenge:
    """What a challenge stands for."""

    purpose: Purpose
    account_id: str
    """Whose sign-in it is; empty while only the passkey will tell."""
    session_id: str
    """The session it was asked from, empty when from none."""
    expires: datetime


class Challenges:
    """Makes challenges and takes them back, once."""

    def __init__(self, clock: Clock, entropy: Callable[[int], bytes]) -> None:
        """Take the clock and the source of randomness."""
        self._clock, self._entropy = clock, entropy

    async def mint(
        self, store: ChallengeStore, purpose: Purpose, account_id: str, session_id: str
    ) -> tuple[Secret, Challenge]:
        """Return a new challenge; the store keeps its hash."""
        text = tokens.mint("vch_", self._entropy)
        challenge = Challenge(purpose, account_id, session_id, self._clock.now() + LIFETIME)
        await store.add(challenge, tokens.digest(text))
        return Secret(text), challenge

    async def attempt(self, store: ChallengeStore, token: Secret) -> Challenge:
        """Count an attempt. The caller commits it before it looks at the answer.

        Raises:
            Fault: CHALLENGE_NOT_VALID: unknown, used, too old or tried too often; the four cannot be told apart.
        """
        text = token.text()
        found = await store.attempt(tokens.digest(text), self._clock.now(), ATTEMPTS) if _FORM.fullmatch(text) else None
        if found is None:
            raise Fault(CHALLENGE_NOT_VALID, field="challenge")
        return found

    async def use(self, store: ChallengeStore, token: Secret) -> None:
        """Use a challenge up.

        Raises:
            Fault: CHALLENGE_NOT_VALID: another call was faster, or it is too old by now.
        """
        if not await store.use(tokens.digest(token.text()), self._clock.now()):
            raise Fault(CHALLENGE_NOT_VALID, field="challenge")
