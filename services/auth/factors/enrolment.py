"""Owns adding factors: an authenticator app, passkeys, recovery codes. What is added counts once it was shown to work.

The first second factor brings ten recovery codes with it: nobody is to be locked out by a lost phone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from services.auth.errors import (
    CHALLENGE_NOT_VALID,
    CODE_NOT_VALID,
    FACTOR_NOT_FOUND,
    SECOND_FACTOR_NOT_VALID,
    TOO_MANY_PASSKEYS,
)
from services.auth.factors import holdings, passkeys
from services.auth.factors.challenges import Purpose
from services.auth.factors.passkeys import MOST, Passkey
from services.auth.factors.totp import ENROLMENT_SKEW
from services.auth.mail import FACTOR_ADDED, RECOVERY_CODES_RENEWED
from services.auth.throttle import Who
from services.auth.throttle_rules import Action
from services.kit.faults import ALREADY_EXISTS, SESSION_ENDED, Fault
from services.kit.secret import Secret

if TYPE_CHECKING:
    from services.auth.accounts import Account
    from services.auth.factors.challenges import Challenges
    from services.auth.factors.changes import Changes
    from services.auth.factors.passkeys import Ceremonies
    from services.auth.factors.recovery import RecoveryCodes
    from services.auth.factors.totp import Authenticator, Enrolment, Totp
    from services.auth.store import Store, Work
    from services.auth.throttle import Throttle
    from services.kit.clock import Clock
    from services.kit.ids import Ids


class Factors:
    """Adds factors to the account of who is signed in."""

    def __init__(
        self,
        totp: Totp,
        codes: RecoveryCodes,
        ceremonies: Ceremonies,
        challenges: Challenges,
        throttle: Throttle,
        changes: Changes,
        clock: Clock,
        ids: Ids,
    ) -> None:
        """Take the collaborators."""
        self._totp, self._codes, self._ceremonies, self._challenges = totp, codes, ceremonies, challenges
        self._throttle, self._changes, self._clock, self._ids = throttle, changes, clock, ids

    async def begin_totp(self, work: Work, account_id: str) -> Enrolment:
        """Make the seed of an authenticator app.

        Raises:
            Fault: ALREADY_EXISTS: there is an app.
        """
        account = await _account(work, account_id)
        sealed, enrolment = await self._totp.make(account_id, account.email)
        store = await work.write()
        await self._totp.begin(store.factors.totp, account_id, sealed)
        return enrolment

    async def confirm_totp(self, work: Work, account_id: str, session_id: str, code: Secret) -> Sequence[Secret]:
        """Turn the app on with a code it shows; returns recovery codes if it is the first second factor.

        Raises:
            Fault: TOTP_NOT_BEGUN, CODE_NOT_VALID or THROTTLED.
        """
        async with work.read() as store:
            app = self._totp.waits(await store.factors.totp.find(account_id))
        async with self._throttle.attempt(Action.SECOND_FACTOR, Who(account_id, device=session_id)):
            step = await self._first_step(app, code)
        made, digests = await self._codes.make(account_id)
        store = await self._begun(work, account_id)
        first = not (await holdings.of(store, account_id)).has_second
        await self._totp.confirm(store.factors.totp, app, step)
        await self._added(store, account_id, session_id, digests if first else ())
        return made if first else ()

    async def begin_passkey(self, work: Work, account_id: str, session_id: str) -> str:
        """Return what an authenticator is asked to make, as JSON.

        Raises:
            Fault: TOO_MANY_PASSKEYS.
        """
        account = await _account(work, account_id)
        store = await work.write()
        known = await store.factors.passkeys.of(account_id)
        if len(known) >= MOST:
            raise Fault(TOO_MANY_PASSKEYS)
        token, _ = await self._challenges.mint(store.factors.challenges, Purpose.REGISTER, account_id, session_id)
        return self._ceremonies.creation_options(account_id, account.email, known, token)

    async def confirm_passkey(
        self, work: Work, account_id: str, session_id: str, credential: Secret, display_name: str
    ) -> tuple[Passkey, Sequence[Secret]]:
        """Add what an authenticator made; returns recovery codes too if it is the first second factor.

        Raises:
            Fault: PASSKEY_NOT_VALID, CHALLENGE_NOT_VALID, ALREADY_EXISTS or INVALID_ARGUMENT.
        """
        name = passkeys.named(display_name)
        token = self._ceremonies.challenge_in(credential)
        store = await work.write()
        challenge = await self._challenges.attempt(store.factors.challenges, token)
        await work.phase()
        bound = (challenge.purpose, challenge.account_id, challenge.session_id)
        if bound != (Purpose.REGISTER, account_id, session_id):
            raise Fault(CHALLENGE_NOT_VALID)
        registered = self._ceremonies.register(credential, token)
        passkey = Passkey(
            passkey_id=self._ids.new("psk"),
            account_id=account_id,
            credential_id=registered.credential_id,
            public_key=registered.public_key,
            sign_count=registered.sign_count,
            verifies_user=registered.verifies_user,
            transports=registered.transports,
            display_name=name,
            created=self._clock.now(),
        )
        made, digests = await self._codes.make(account_id)
        store = await self._begun(work, account_id)
        await self._challenges.use(store.factors.challenges, token)
        held = await holdings.of(store, account_id)
        if not await store.factors.passkeys.add(passkey):
            raise Fault(ALREADY_EXISTS)
        await self._added(store, account_id, session_id, () if held.has_second else digests)
        return passkey, () if held.has_second else made

    async def rename_passkey(self, work: Work, account_id: str, passkey_id: str, display_name: str) -> None:
        """Give a passkey another name.

        Raises:
            Fault: FACTOR_NOT_FOUND or INVALID_ARGUMENT.
        """
        name = passkeys.named(display_name)
        store = await work.write()
        if not await store.factors.passkeys.rename(account_id, passkey_id, name):
            raise Fault(FACTOR_NOT_FOUND)

    async def generate_codes(self, work: Work, account_id: str, session_id: str) -> Sequence[Secret]:
        """Make new recovery codes in place of all there were.

        Raises:
            Fault: FACTOR_NOT_FOUND: there is no second factor that they could stand in for.
        """
        made, digests = await self._codes.make(account_id)
        store = await self._begun(work, account_id)
        if not (await holdings.of(store, account_id)).has_second:
            raise Fault(FACTOR_NOT_FOUND)
        await store.factors.recovery_codes.replace(account_id, digests, self._clock.now())
        await self._changes.follow(store, account_id, session_id, RECOVERY_CODES_RENEWED)
        return made

    async def _first_step(self, app: Authenticator, code: Secret) -> int:
        try:
            return await self._totp.read(app, code, ENROLMENT_SKEW)
        except Fault as fault:
            if fault.reason is SECOND_FACTOR_NOT_VALID:
                raise Fault(CODE_NOT_VALID, field="code") from None
            raise

    async def _begun(self, work: Work, account_id: str) -> Store:
        """Begin the change: one at a time for each account."""
        store = await work.write()
        await store.accounts.lock(account_id)
        return store

    async def _added(self, store: Store, account_id: str, session_id: str, digests: Sequence[bytes]) -> None:
        if digests:
            await store.factors.recovery_codes.replace(account_id, digests, self._clock.now())
        await self._changes.follow(store, account_id, session_id, FACTOR_ADDED)


async def _account(work: Work, account_id: str) -> Account:
    async with work.read() as store:
        account = await store.accounts.get(account_id)
    if account is None:
        raise Fault(SESSION_ENDED)
    return account
