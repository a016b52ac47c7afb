"""Owns how passwords are hashed and checked: Argon2id over a pepper, in a bounded pool. Must never store or show one.

A stored hash is the standard PHC string cut in two (parameters; salt and tag) and the id of the pepper key it was made
with. Floor of the parameters: OWASP ASVS 5.0, appendix C (Argon2id, t=2, m>=19456 KiB, p=1). An account that does not
exist, or has no password, costs the same work as one that does.
"""

from __future__ import annotations

import unicodedata
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from services.auth.errors import BAD_CREDENTIALS
from services.auth.password_policy import MAX_CODE_POINTS, MIN_CODE_POINTS
from services.kit.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from services.auth.email_address import EmailAddress
    from services.auth.hash_pool import HashPool
    from services.auth.password_policy import PasswordPolicy
    from services.auth.pepper import Pepper
    from services.kit.secret import Secret

SALT_BYTES = 16
TAG_BYTES = 32
FLOOR_MEMORY_KIB = 19456
FLOOR_TIME_COST = 2


@dataclass(frozen=True)
class Parameters:
    """Argon2id parameters."""

    memory_kib: int = FLOOR_MEMORY_KIB
    time_cost: int = FLOOR_TIME_COST
    parallelism: int = 1

    def __post_init__(self) -> None:
        if self.memory_kib < FLOOR_MEMORY_KIB or self.time_cost < FLOOR_TIME_COST or self.parallelism != 1:
            raise ValueError("password hashing below the floor: memory_kib >= 19456, time_cost >= 2, parallelism = 1")

    @property
    def text(self) -> str:
        """The first part of a PHC string."""
        return f"$argon2id$v=19$m={self.memory_kib},t={self.time_cost},p={self.parallelism}"


@dataclass(frozen=True)
class PasswordHash:
    """A stored password hash."""

    parameters: str
    digest: str = field(repr=False)
    """Salt and tag, the rest of the PHC string."""
    pepper: str
    """Id of the pepper key."""


class Passwords:
    """Makes and checks password hashes."""

    def __init__(
        self,
        parameters: Parameters,
        pepper: Pepper,
        pool: HashPool,
        entropy: Callable[[int], bytes],
        policy: PasswordPolicy,
    ) -> None:
        """Take the collaborators; makes the hash that stands in for accounts that do not exist."""
        self._parameters, self._pepper, self._pool, self._entropy = parameters, pepper, pool, entropy
        self._policy = policy
        self._hasher = PasswordHasher(
            time_cost=parameters.time_cost,
            memory_cost=parameters.memory_kib,
            parallelism=parameters.parallelism,
            hash_len=TAG_BYTES,
            salt_len=SALT_BYTES,
        )
        self._nobodys = self._make(entropy(TAG_BYTES))

    @contextmanager
    def desk(self) -> Iterator[Desk]:
        """Hold a place in the pool.

        Raises:
            Fault: OVERLOADED, when there is none.
        """
        with self._pool.place():
            yield Desk(self._pool, self._check, self._make, self._policy)

    def _check(self, password: Secret, stored: PasswordHash | None) -> bool:
        candidate = _normalized(password)
        against = stored
        if against is None or against.pepper not in self._pepper or len(candidate) > MAX_CODE_POINTS:
            against, candidate = self._nobodys, ""
        try:
            mixed = self._pepper.mix(against.pepper, candidate.encode())
            self._hasher.verify(against.parameters + against.digest, mixed)
        except (VerificationError, InvalidHashError):
            raise Fault(BAD_CREDENTIALS) from None
        if against is not stored:
            raise Fault(BAD_CREDENTIALS)
        return against.parameters != self._parameters.text or against.pepper != self._pepper.current

    def _make(self, password: bytes) -> PasswordHash:
        current = self._pepper.current
        whole = self._hasher.hash(self._pepper.mix(current, password), salt=self._entropy(SALT_BYTES))
        parameters = self._parameters.text
        if not whole.startswith(parameters + "$"):
            raise RuntimeError("the library's hash format has changed")
        return PasswordHash(parameters=parameters, digest=whole.removeprefix(parameters), pepper=current)


class Desk:
    """One place in the hash pool: the only way to hash."""

    def __init__(
        self,
        pool: HashPool,
        check: Callable[[Secret, PasswordHash | None], bool],
        make: Callable[[bytes], PasswordHash],
        policy: PasswordPolicy,
    ) -> None:
        """Made by ``Passwords.desk``."""
        self._pool, self._check, self._make, self._policy = pool, check, make, policy

    async def check(self, password: Secret, stored: PasswordHash | None) -> bool:
        """Check a password, with the same work when there is nothing to check it against.

        Returns:
            Whether the hash should be made anew: its parameters or its pepper are not the current ones.

        Raises:
            Fault: BAD_CREDENTIALS.
        """
        return await self._pool.run(lambda: self._check(password, stored))

    async def require(
        self, password: Secret, email: EmailAddress, *, least: int = MIN_CODE_POINTS, field: str = "password"
    ) -> None:
        """Check a password that somebody wants to have; see ``PasswordPolicy.require``.

        Raises:
            Fault: Why it is refused.
        """
        await self._pool.run(lambda: self._policy.require(password, email, least=least, field=field))

    async def hash(self, password: Secret) -> PasswordHash:
        """Hash a password that the policy has admitted."""
        return await self._pool.run(lambda: self._make(_normalized(password).encode()))


def _normalized(password: Secret) -> str:
    return unicodedata.normalize("NFC", password.text())
