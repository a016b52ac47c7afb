"""Somebody with an account, an authenticator app and authenticators, at the door of auth's domain."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field

import pyotp
import pytest

from services.auth.arrivals import Arrived, Visitor
from services.auth.factors import holdings
from services.auth.factors.holdings import Factor, Holdings
from services.auth.factors.passkeys import Passkey
from services.auth.factors.proofs import Answer
from services.auth.factors.steps import Continued, Next
from services.kit.faults import Fault, Reason
from services.kit.secret import Secret
from tests.support.authenticator import Authenticator
from tests.unit.auth.world import EMAIL, HOME, PASSWORD, URL, Trail, World

NEW_PASSWORD = "the heron waits beside the reeds"
VISITOR = Visitor(HOME, "firefox/linux")


async def refused(work: Awaitable[object]) -> Fault:
    """Return the fault that some work ends with."""
    with pytest.raises(Fault) as caught:
        await work
    return caught.value


async def reason(work: Awaitable[object]) -> Reason:
    """Return the reason that some work is refused for."""
    return (await refused(work)).reason


@dataclass
class Member:
    """A confirmed account, signed in."""

    world: World
    account_id: str
    session_id: str
    email: str = EMAIL
    seed: str = ""
    codes: list[str] = field(default_factory=list)
    device: Authenticator = field(default_factory=lambda: Authenticator(URL))

    def code(self, steps: int = 0) -> str:
        """What the authenticator app shows, so many steps from now."""
        return pyotp.TOTP(self.seed).at(self.world.clock.now(), counter_offset=steps)

    async def begin_totp(self) -> None:
        async with self.world.work() as work:
            self.seed = (await self.world.factors.factors.begin_totp(work, self.account_id)).secret.text()

    async def confirm_totp(self, code: str | None = None) -> Sequence[Secret]:
        async with self.world.work() as work:
            made = await self.world.factors.factors.confirm_totp(
                work, self.account_id, self.session_id, Secret(code or self.code())
            )
        self.codes = [one.text() for one in made] or self.codes
        return made

    async def enrol_totp(self) -> None:
        """Turn an app on; the step of its first code is over afterwards."""
        await self.begin_totp()
        await self.confirm_totp()
        self.world.clock.advance(30)

    async def passkey_options(self) -> str:
        async with self.world.work() as work:
            return await self.world.factors.factors.begin_passkey(work, self.account_id, self.session_id)

    async def confirm_passkey(self, credential: str, name: str = "Laptop") -> Passkey:
        async with self.world.work() as work:
            passkey, made = await self.world.factors.factors.confirm_passkey(
                work, self.account_id, self.session_id, Secret(credential), name
            )
        self.codes = [one.text() for one in made] or self.codes
        return passkey

    async def enrol_passkey(self, device: Authenticator | None = None) -> Passkey:
        device = device or self.device
        return await self.confirm_passkey(device.create(await self.passkey_options()))

    async def generate_codes(self) -> list[str]:
        async with self.world.work() as work:
            made = await self.world.factors.factors.generate_codes(work, self.account_id, self.session_id)
        self.codes = [one.text() for one in made]
        return self.codes

    async def remove_totp(self, new_password: str = "") -> None:
        async with self.world.work() as work:
            await self.world.factors.removal.remove_totp(
                work, self.account_id, self.session_id, Secret(new_password) if new_password else None
            )

    async def remove_passkey(self, passkey_id: str, new_password: str = "") -> None:
        async with self.world.work() as work:
            await self.world.factors.removal.remove_passkey(
                work, self.account_id, self.session_id, passkey_id, Secret(new_password) if new_password else None
            )

    async def remove_password(self) -> None:
        async with self.world.work() as work:
            await self.world.factors.removal.remove_password(work, self.account_id, self.session_id)

    async def held(self) -> Holdings:
        async with self.world.units.read() as store:
            return await holdings.of(store, self.account_id)

    async def first_step(self, password: str = PASSWORD) -> Next:
        """Sign in by password, up to the challenge."""
        outcome = await self.world.first_step(self.email, password)
        assert isinstance(outcome, Next)
        return outcome

    async def proceed(
        self, challenge: Secret, factor: Factor, value: str, trail: Trail | None = None, visitor: Visitor = VISITOR
    ) -> Continued:
        async with self.world.work() as work:
            return await self.world.factors.steps.proceed(
                work, trail or Trail(), challenge, Answer(factor, Secret(value)), visitor
            )

    async def sign_in(self, factor: Factor, value: str, trail: Trail | None = None) -> Arrived:
        """Sign in in two steps."""
        asked = await self.first_step()
        return (await self.proceed(asked.challenge, factor, value, trail)).arrived

    async def mails(self) -> list[str]:
        """The subjects of what has come."""
        while await self.world.courier.step():
            pass
        return [str(mail["Subject"]) for mail in self.world.server.taken if mail["To"] == self.email]


async def member(world: World, email: str = EMAIL) -> Member:
    """Somebody who has signed up, confirmed and signed in."""
    account_id = await world.member(email)
    arrived = await world.sign_in(email)
    return Member(world, account_id, arrived.session.session_id, email)
