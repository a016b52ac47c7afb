"""Owns how an answer to a challenge is checked. Changes nothing: who opens the session uses up what was found right.

Codes can be guessed, so they are throttled, and taken back when right. A passkey's signature cannot, and is not. So
whoever uses up an account's limits leaves its owner their passkey, which also opens the password again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from services.auth.errors import SECOND_FACTOR_NOT_VALID
from services.auth.factors.challenges import Challenge, Purpose
from services.auth.factors.holdings import Factor
from services.auth.factors.recovery import FEW
from services.auth.mail import RECOVERY_CODE_USED, RECOVERY_CODES_LOW
from services.auth.throttle import Who
from services.auth.throttle_rules import Action
from services.kit.faults import Fault
from services.kit.secret import Secret

if TYPE_CHECKING:
    from services.auth.arrivals import Arrivals, Visitor
    from services.auth.factors.changes import Changes
    from services.auth.factors.passkeys import Ceremonies, Passkey
    from services.auth.factors.recovery import RecoveryCodes
    from services.auth.factors.totp import Totp
    from services.auth.store import Readable, Store
    from services.auth.throttle import Throttle
    from services.kit.clock import Clock


class Trail(Protocol):
    """The audit record of the call: whom it concerns, and with which factor."""

    subject: str
    otherwise: Callable[[], Awaitable[None]] | None
    """Done in place of a refusal's record when the refusal is only counted."""

    def detail(self, **values: str | int) -> None:
        """Add typed particulars."""
        ...


@dataclass(frozen=True)
class Answer:
    """What came in answer to a challenge."""

    factor: Factor
    value: Secret


@dataclass(frozen=True)
class Proof:
    """An answer found right."""

    account_id: str
    take: Callable[[Store], Awaitable[None]]
    """Uses up what must not work twice. Raises Fault: another call was faster."""


class Proofs:
    """Checks answers."""

    def __init__(
        self,
        totp: Totp,
        codes: RecoveryCodes,
        ceremonies: Ceremonies,
        changes: Changes,
        throttle: Throttle,
        arrivals: Arrivals,
        clock: Clock,
    ) -> None:
        """Take the collaborators."""
        self._totp, self._codes, self._ceremonies = totp, codes, ceremonies
        self._changes, self._throttle, self._arrivals, self._clock = changes, throttle, arrivals, clock

    async def of(
        self, work: Readable, trail: Trail, challenge: Challenge, token: Secret, answer: Answer, visitor: Visitor
    ) -> Proof:
        """Check an answer to a challenge.

        Raises:
            Fault: SECOND_FACTOR_NOT_VALID or THROTTLED.
        """
        trail.otherwise = self._throttle.pretend
        trail.subject = challenge.account_id
        trail.detail(factor=answer.factor.value)
        if answer.factor is Factor.PASSKEY:
            return await self._passkey(work, trail, challenge, token, answer.value)
        if challenge.purpose is not Purpose.SECOND:
            raise Fault(SECOND_FACTOR_NOT_VALID)
        async with work.read() as store:
            device = await self._arrivals.device(store, challenge.account_id, visitor)
        check = self._code if answer.factor is Factor.TOTP else self._recovery_code
        async with self._throttle.attempt(Action.SECOND_FACTOR, Who(challenge.account_id, visitor.address, device)):
            return await check(work, challenge.account_id, answer.value)

    async def _code(self, work: Readable, account_id: str, code: Secret) -> Proof:
        async with work.read() as store:
            app = await store.factors.totp.find(account_id)
        if app is None or app.confirmed is None:
            raise Fault(SECOND_FACTOR_NOT_VALID)
        step = await self._totp.read(app, code)
        if step <= app.last_step:
            raise Fault(SECOND_FACTOR_NOT_VALID)

        async def take(store: Store) -> None:
            await self._totp.accept(store.factors.totp, app, step)

        return Proof(account_id, take)

    async def _recovery_code(self, work: Readable, account_id: str, code: Secret) -> Proof:
        digest = await self._codes.recognize(account_id, code)
        async with work.read() as store:
            if not await store.factors.recovery_codes.has(account_id, digest):
                raise Fault(SECOND_FACTOR_NOT_VALID)

        async def take(store: Store) -> None:
            codes = store.factors.recovery_codes
            if not await codes.use(account_id, digest, self._clock.now()):
                raise Fault(SECOND_FACTOR_NOT_VALID)
            await self._changes.tell(store.mail, account_id, RECOVERY_CODE_USED)
            if await codes.left(account_id) <= FEW:
                await self._changes.tell(store.mail, account_id, RECOVERY_CODES_LOW)

        return Proof(account_id, take)

    async def _passkey(
        self, work: Readable, trail: Trail, challenge: Challenge, token: Secret, credential: Secret
    ) -> Proof:
        claim = self._ceremonies.claim_in(credential)
        async with work.read() as store:
            passkey = await store.factors.passkeys.by_credential(claim.credential_id)
            account = None if passkey is None else await store.accounts.get(passkey.account_id)
        if passkey is None or account is None:
            raise Fault(SECOND_FACTOR_NOT_VALID)
        owner = trail.subject = challenge.account_id or passkey.account_id
        handles = {owner.encode()} if not challenge.account_id else {owner.encode(), None}
        if passkey.account_id != owner or claim.user_handle not in handles:
            raise Fault(SECOND_FACTOR_NOT_VALID)
        alone = challenge.purpose is Purpose.ALONE
        sign_count = self._ceremonies.check(passkey, credential, token, alone=alone)
        if alone:
            await self._throttle.reopen(account.lookup)
        return self._taken(passkey, sign_count)

    def _taken(self, passkey: Passkey, sign_count: int) -> Proof:
        async def take(store: Store) -> None:
            if not await store.factors.passkeys.used(passkey.passkey_id, sign_count, self._clock.now()):
                raise Fault(SECOND_FACTOR_NOT_VALID)

        return Proof(passkey.account_id, take)
