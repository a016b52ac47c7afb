"""Owns the steps of a sign-in after the password, and the sign-in with a passkey alone. No session opens but here.

Whatever works once (a TOTP step, a recovery code, a passkey's count, the challenge itself) is used up in the
transaction that opens the session, each by one conditional statement: of racing calls one wins, and one that fails uses
up nothing. The attempt itself is counted on the challenge, and committed, before its answer is looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from services.auth.errors import CHALLENGE_NOT_VALID, PASSKEY_REQUIRED
from services.auth.factors import holdings
from services.auth.factors.challenges import Purpose
from services.auth.factors.holdings import Factor
from services.kit.faults import SESSION_ENDED, Fault
from services.kit.secret import Secret

if TYPE_CHECKING:
    from services.auth.arrivals import Arrivals, Arrived, Visitor
    from services.auth.factors.challenges import Challenges
    from services.auth.factors.passkeys import Ceremonies, Passkey
    from services.auth.factors.proofs import Answer, Proofs, Trail
    from services.auth.sessions import Sessions
    from services.auth.store import Store, Work

PASSWORD = "pwd"  # noqa: S105 - the name of the factor in RFC 8176
MULTIPLE = "mfa"
"""Of a session that more than one factor opened; a passkey that verified its user is two by itself."""


@dataclass(frozen=True)
class Next:
    """What is wanted before a session opens."""

    challenge: Secret
    factors: tuple[Factor, ...]
    passkey_options: str
    """JSON; empty where no passkey will do."""
    expires: datetime


@dataclass(frozen=True)
class Continued:
    """A session opened by the answer to a challenge."""

    arrived: Arrived
    replaced: bool
    """It replaced the session from which it was asked for, and that has ended."""


class Steps:
    """Opens sessions, or says what is still wanted."""

    def __init__(
        self,
        sessions: Sessions,
        arrivals: Arrivals,
        challenges: Challenges,
        ceremonies: Ceremonies,
        proofs: Proofs,
    ) -> None:
        """Take the collaborators."""
        self._sessions, self._arrivals, self._challenges = sessions, arrivals, challenges
        self._ceremonies, self._proofs = ceremonies, proofs

    async def after_password(
        self, store: Store, account_id: str, visitor: Visitor, session_id: str = ""
    ) -> Arrived | Next:
        """Open a session for who knew the password, or ask for the second factor.

        Args:
            store: The call's transaction.
            account_id: Whose password it was.
            visitor: Who is at the door.
            session_id: The session that the new one replaces, if any.

        Raises:
            Fault: SESSION_ENDED: the session to be replaced has ended.
        """
        await store.accounts.lock(account_id)
        if await store.factors.has_second(account_id):
            held = await holdings.of(store, account_id)
            return await self._ask(store, Purpose.SECOND, held.passkeys, held.seconds, (account_id, session_id))
        await self._replace(store, session_id)
        return await self._arrivals.open(store, account_id, (PASSWORD,), visitor)

    async def begin_passkey(self, work: Work) -> Next:
        """Ask for a passkey, of whomever."""
        return await self._ask(await work.write(), Purpose.ALONE, (), (Factor.PASSKEY,), ("", ""))

    async def passkey_again(self, work: Work, account_id: str, session_id: str) -> Next:
        """Ask somebody who is signed in for one of their passkeys, in place of the password.

        Raises:
            Fault: PASSKEY_REQUIRED: they have none that verifies them.
        """
        store = await work.write()
        known = (await holdings.of(store, account_id)).alone
        if not known:
            raise Fault(PASSKEY_REQUIRED)
        return await self._ask(store, Purpose.ALONE, known, (Factor.PASSKEY,), (account_id, session_id))

    async def proceed(self, work: Work, trail: Trail, token: Secret, answer: Answer, visitor: Visitor) -> Continued:
        """Open a session for who answers a challenge.

        Raises:
            Fault: CHALLENGE_NOT_VALID, SECOND_FACTOR_NOT_VALID, THROTTLED or SESSION_ENDED.
        """
        store = await work.write()
        challenge = await self._challenges.attempt(store.factors.challenges, token)
        await work.phase()
        if challenge.purpose is Purpose.REGISTER:
            raise Fault(CHALLENGE_NOT_VALID, field="challenge")
        if challenge.session_id:
            await self._sessions.get(work, challenge.session_id)
        proof = await self._proofs.of(work, trail, challenge, token, answer, visitor)
        store = await work.write()
        await store.accounts.lock(proof.account_id)
        await self._challenges.use(store.factors.challenges, token)
        await proof.take(store)
        await self._replace(store, challenge.session_id)
        first = (PASSWORD,) if challenge.purpose is Purpose.SECOND else ()
        amr = (*first, answer.factor.value, MULTIPLE)
        arrived = await self._arrivals.open(store, proof.account_id, amr, visitor)
        return Continued(arrived, replaced=bool(challenge.session_id))

    async def _ask(
        self,
        store: Store,
        purpose: Purpose,
        passkeys: Sequence[Passkey],
        factors: tuple[Factor, ...],
        bound: tuple[str, str],
    ) -> Next:
        token, challenge = await self._challenges.mint(store.factors.challenges, purpose, *bound)
        options = ""
        if Factor.PASSKEY in factors:
            options = self._ceremonies.request_options(passkeys, token, alone=purpose is Purpose.ALONE)
        return Next(token, factors, options, challenge.expires)

    async def _replace(self, store: Store, session_id: str) -> None:
        if session_id and not await self._sessions.end(store.sessions, store.revocations, session_id):
            raise Fault(SESSION_ENDED)
