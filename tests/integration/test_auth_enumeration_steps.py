"""Nobody learns from a failed sign-in which factors an account has, nor from a failed second step what was half right.

The bound and the statistic are those of test_auth_enumeration.py. Whoever knows the password is told which factors the
account has; that much is meant. The last tests show that what is found here can be found.
"""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path

import pytest

from tests.integration.auth_stage import PASSWORD, Edge, Stage
from tests.integration.enumeration_stage import (
    KNOWN,
    NOBODY,
    PASSKEY_ONLY,
    TWO_STEPS,
    WRONG,
    Attempt,
    Guarded,
    Visits,
    found,
    guarded,
    same,
    write,
)
from valv.auth.v1 import account_pb2


async def challenge(stage: Stage, browser: Edge, change: str = "attempts = -1000000") -> str:
    """Do the first step, and change the challenge it gives; by itself it lets in any number of attempts."""
    request = account_pb2.SignInRequest(email=TWO_STEPS, password=PASSWORD)
    told = await browser.accounts.SignIn(request, metadata=browser.metadata, timeout=20)
    text = str(told.next.challenge)
    digest = hashlib.sha256(text.encode()).digest()
    write(stage, f"UPDATE challenges SET {change} WHERE challenge_hash = ?", digest)  # noqa: S608 - changes from here
    return text


@pytest.mark.clause("ASVS 6.3.8", "P6")
async def test_a_wrong_password_tells_nobody_what_else_an_account_has(tmp_path: Path) -> None:
    async with guarded(tmp_path) as (stage, browser, _):
        visits = Visits(stage, browser)
        causes = {
            "password": visits.sign_in("password", KNOWN, WRONG),
            "two steps": visits.sign_in("two steps", TWO_STEPS, WRONG),
            "passkey only": visits.sign_in("passkey only", PASSKEY_ONLY, WRONG),
            "unknown": visits.sign_in("unknown", NOBODY, WRONG),
        }
        assert await found(causes) == []
        assert same(visits)


@pytest.mark.clause("ASVS 6.3.8")
async def test_a_challenge_that_is_not_valid_does_not_tell_why(tmp_path: Path) -> None:
    """Not even to whoever has the right code."""
    async with guarded(tmp_path) as (stage, browser, held):
        visits = Visits(stage, browser)
        tokens = {
            "unknown": "vch_" + secrets.token_urlsafe(32),
            "expired": await challenge(stage, browser, "expires_us = 1"),
            "used": await challenge(stage, browser, "used_us = 1"),
            "tried too often": await challenge(stage, browser, "attempts = 5"),
        }
        causes = {name: visits.proceed(name, token, totp_code=held.app.now) for name, token in tokens.items()}
        assert await found(causes) == []
        assert same(visits)


async def codes(stage: Stage, browser: Edge, held: Guarded, visits: Visits) -> dict[str, Attempt]:
    """Codes that are wrong, and codes that were right once."""
    write(stage, "UPDATE totp SET last_step = 100000000000")  # whatever the app shows, it was used
    write(stage, "UPDATE recovery_codes SET used_us = 1")
    token, used = await challenge(stage, browser), held.codes[0]
    wrong = used[:-2] + ("00" if used[-2:] != "00" else "11")

    def other() -> str:
        return f"{(int(held.app.now()) + 500_000) % 1_000_000:06d}"

    return {
        "wrong code": visits.proceed("code", token, totp_code=other),
        "used code": visits.proceed("code", token, totp_code=held.app.now),
        "wrong recovery code": visits.proceed("recovery code", token, recovery_code=lambda: wrong),
        "used recovery code": visits.proceed("recovery code", token, recovery_code=lambda: used),
    }


@pytest.mark.clause("ASVS 6.3.8", "ASVS 6.5.1")
async def test_a_code_that_was_used_answers_as_one_that_never_was_right(tmp_path: Path) -> None:
    async with guarded(tmp_path) as (stage, browser, held):
        visits = Visits(stage, browser)
        assert await found(await codes(stage, browser, held, visits)) == []
        assert same(visits)


async def test_a_shortcut_for_codes_that_were_used_is_noticed(tmp_path: Path) -> None:
    async with guarded(tmp_path, "tests.integration.leaky_auth") as (stage, browser, held):
        visits = Visits(stage, browser)
        every = await codes(stage, browser, held, visits)
        (leak,) = await found({name: every[name] for name in ("wrong code", "used code")}, 50)
        assert leak.longer < 0
        assert same(visits)


async def test_a_missing_hash_for_who_has_no_password_is_noticed(tmp_path: Path) -> None:
    async with guarded(tmp_path, "tests.integration.leaky_auth") as (stage, browser, _):
        visits = Visits(stage, browser)
        causes = {
            "two steps": visits.sign_in("two steps", TWO_STEPS, WRONG),
            "passkey only": visits.sign_in("passkey only", PASSKEY_ONLY, WRONG),
        }
        (leak,) = await found(causes, 50)
        assert leak.longer < 0
        assert same(visits)
