"""Nobody learns from outside who has an account: not from text, not from status, not from time.

Stated bound: an observer who times 150 calls of each kind, one at a time and next to the service, finds no two kinds
for which both the chance that one takes longer leaves [0.3, 0.7] and the medians differ by more than a tenth. A machine
under load can do that once, not in each of three rounds. The last test shows that one missing hash does it every time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.integration.auth_stage import PASSWORD
from tests.integration.enumeration_stage import (
    DISABLED,
    KNOWN,
    NOBODY,
    UNCONFIRMED,
    WRONG,
    Visits,
    answer,
    found,
    same,
    serving,
)
from valv.auth.v1 import account_pb2


@pytest.mark.clause("ASVS 6.3.8", "P6")
async def test_sign_in_tells_nobody_who_has_an_account(tmp_path: Path) -> None:
    async with serving(tmp_path) as (stage, browser):
        visits = Visits(stage, browser)
        causes = {
            "known": visits.sign_in("known", KNOWN, WRONG),
            "unknown": visits.sign_in("unknown", NOBODY, WRONG),
            "disabled": visits.sign_in("disabled", DISABLED, PASSWORD),
            "unconfirmed": visits.sign_in("unconfirmed", UNCONFIRMED, PASSWORD),
        }
        assert await found(causes) == []
        assert same(visits)


@pytest.mark.clause("ASVS 6.3.8", "P6")
async def test_sign_up_tells_nobody_who_has_an_account(tmp_path: Path) -> None:
    async with serving(tmp_path) as (stage, browser):
        visits = Visits(stage, browser)
        causes = {
            "known": visits.sign_up("known", KNOWN),
            "new": visits.sign_up("new", "new{}@example.com"),
            "disabled": visits.sign_up("disabled", DISABLED),
            "unconfirmed": visits.sign_up("unconfirmed", UNCONFIRMED),
        }
        assert await found(causes) == []
        assert same(visits)


@pytest.mark.clause("ASVS 6.3.8")
async def test_recovery_tells_nobody_who_has_an_account(tmp_path: Path) -> None:
    async with serving(tmp_path) as (stage, browser):
        visits = Visits(stage, browser)
        causes = {
            "known": visits.recover("known", KNOWN),
            "unknown": visits.recover("unknown", NOBODY),
            "disabled": visits.recover("disabled", DISABLED),
            "unconfirmed": visits.recover("unconfirmed", UNCONFIRMED),
        }
        assert await found(causes) == []
        assert same(visits)


@pytest.mark.clause("ASVS 6.3.8", "ASVS 6.3.1")
async def test_being_throttled_tells_nobody_who_has_an_account(tmp_path: Path) -> None:
    async with serving(tmp_path, lifted=False) as (stage, browser):
        visits = Visits(stage, browser)

        def throttled(name: str, email: str) -> Callable[[int], Awaitable[object]]:
            async def once(_number: int) -> None:
                request = account_pb2.SignInRequest(email=email, password=WRONG)
                told = await answer(browser.accounts.SignIn(request, metadata=browser.metadata, timeout=20))
                if told[2] == "THROTTLED":  # a window can end meanwhile
                    visits.answers.setdefault(name, set()).add(told)

            return once

        causes = {"known": throttled("known", KNOWN), "unknown": throttled("unknown", NOBODY)}
        for each in causes.values():
            for number in range(5):
                await each(number)
        assert await found(causes) == []
        assert set(visits.answers) == {"known", "unknown"}
        assert same(visits)


async def test_one_missing_hash_is_noticed(tmp_path: Path) -> None:
    async with serving(tmp_path, module="tests.integration.leaky_auth") as (stage, browser):
        visits = Visits(stage, browser)
        causes = {
            "known": visits.sign_in("known", KNOWN, WRONG),
            "unknown": visits.sign_in("unknown", NOBODY, WRONG),
        }
        (leak,) = await found(causes, 50)
        assert leak.causes == ("known", "unknown")
        assert leak.longer < -0.4
        assert same(visits)
