"""Owns how the factors are put together from what the rest of auth gives them. Decides nothing and knows no store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.auth.factors.challenges import Challenges
from services.auth.factors.changes import Changes
from services.auth.factors.enrolment import Factors
from services.auth.factors.passkeys import Ceremonies
from services.auth.factors.proofs import Proofs
from services.auth.factors.recovery import RecoveryCodes
from services.auth.factors.removal import Removal
from services.auth.factors.steps import Steps
from services.auth.factors.totp import Totp

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.auth.arrivals import Arrivals
    from services.auth.factors.totp import Keys
    from services.auth.passwords import Passwords
    from services.auth.sessions import Sessions
    from services.auth.throttle import Throttle
    from services.kit.clock import Clock
    from services.kit.ids import Ids


@dataclass(frozen=True)
class Surroundings:
    """What the rest of auth gives."""

    sessions: Sessions
    arrivals: Arrivals
    passwords: Passwords
    throttle: Throttle
    keys: Keys
    clock: Clock
    ids: Ids
    entropy: Callable[[int], bytes]
    public_url: str
    product: str


@dataclass(frozen=True)
class Assembled:
    """What the rest of auth gets."""

    steps: Steps
    factors: Factors
    removal: Removal


def assemble(given: Surroundings) -> Assembled:
    """Put the factors together."""
    clock, throttle = given.clock, given.throttle
    totp = Totp(given.keys, clock, given.entropy, given.product)
    codes = RecoveryCodes(given.keys, given.entropy)
    ceremonies = Ceremonies(given.public_url, given.product)
    challenges = Challenges(clock, given.entropy)
    changes = Changes(given.sessions, clock, given.ids)
    proofs = Proofs(totp, codes, ceremonies, changes, throttle, given.arrivals, clock)
    return Assembled(
        Steps(given.sessions, given.arrivals, challenges, ceremonies, proofs),
        Factors(totp, codes, ceremonies, challenges, throttle, changes, clock, given.ids),
        Removal(given.passwords, changes, clock),
    )
