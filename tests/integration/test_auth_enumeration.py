"""Nobody learns from outside who has an account: not from text, not from status, not from time.

Stated bound: an observer who times 150 calls of each kind, one at a time and next to the service, finds no two kinds
for which both the chance that one takes longer leaves [0.3, 0.7] and the medians differ by more than a tenth. A machine
under load can do that once, not in each of three rounds. The last test shows that one missing hash does it every time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from tests.integration.auth_stage import PASSWORD, Edge, Mailbox, Stage, edge, mail_server
from tests.support.limits import lift
from tests.support.pki import Pki
from tests.support.timing import ROUNDS, Leak, leaks, samples
from valv.auth.v1 import account_pb2, email_pb2

SAMPLES = 150
WRONG = "another lighthouse, another keeper"
KNOWN, DISABLED, UNCONFIRMED = "anna@example.com", "dag@example.com", "ulla@example.com"
NOBODY = "nobody@example.com"
Causes = Mapping[str, Callable[[int], Awaitable[object]]]


@asynccontextmanager
async def serving(
    folder: Path, *, lifted: bool = True, module: str = "services.auth"
) -> AsyncIterator[tuple[Stage, Edge]]:
    """Auth with one account of each kind."""
    mailbox = Mailbox()
    async with mail_server(mailbox) as port:
        stage = Stage(folder, Pki(folder), port, level="INFO", module=module)
        if lifted:
            lift(stage.path)
        await stage.start()
        async with edge(stage) as browser:
            for email in (KNOWN, DISABLED, UNCONFIRMED):
                await browser.sign_up(email)
                if email != UNCONFIRMED:
                    await browser.confirm(await mailbox.token(email))
            write(stage, "UPDATE accounts SET disabled_us = 1, disabled_because = 'abuse' WHERE lookup = ?", DISABLED)
            yield stage, browser
        await stage.stop()


def write(stage: Stage, statement: str, *values: object) -> None:
    """Change the database beside the service."""
    database = sqlite3.connect(stage.folder / "auth.db", timeout=10)
    with database:
        database.execute(statement, values)
    database.close()


async def answer(call: Any) -> tuple[Any, ...]:
    """Return everything a client is told, but for what names the request or the moment."""
    try:
        reply = await call
    except grpc.aio.AioRpcError as error:
        status = status_pb2.Status()
        status.ParseFromString(dict(error.trailing_metadata() or ())["grpc-status-details-bin"])
        info = error_details_pb2.ErrorInfo()
        status.details[0].Unpack(info)
        kinds = tuple(detail.type_url for detail in status.details)
        names = tuple(sorted(name for name, _ in error.initial_metadata() or ()))
        return error.code(), error.details(), info.reason, info.domain, tuple(info.metadata), kinds, names
    names = tuple(sorted(name for name, _ in await call.initial_metadata()))
    return type(reply), names


class Visits:
    """Calls of each kind."""

    def __init__(self, stage: Stage, browser: Edge) -> None:
        self._stage, self._browser = stage, browser
        self.answers: dict[str, set[tuple[Any, ...]]] = {}

    def sign_in(self, name: str, email: str, password: str) -> Callable[[int], Awaitable[object]]:
        """Try to sign in."""

        async def once(number: int) -> None:
            if not number % 40:  # failures in a row shut out strangers, known and unknown alike
                write(self._stage, "DELETE FROM counters")
            request = account_pb2.SignInRequest(email=email, password=password)
            await self._tell(name, self._browser.accounts.SignIn(request, metadata=self._browser.metadata, timeout=20))

        return once

    def sign_up(self, name: str, email: str) -> Callable[[int], Awaitable[object]]:
        """Sign up; ``email`` may take a number."""

        async def once(number: int) -> None:
            request = account_pb2.SignUpRequest(email=email.format(number), password=PASSWORD)
            await self._tell(name, self._browser.accounts.SignUp(request, metadata=self._browser.metadata, timeout=20))

        return once

    def recover(self, name: str, email: str) -> Callable[[int], Awaitable[object]]:
        """Ask for a link to choose a new password."""

        async def once(_number: int) -> None:
            request = email_pb2.RecoverRequest(email=email)
            await self._tell(name, self._browser.emails.Recover(request, metadata=self._browser.metadata, timeout=20))

        return once

    async def _tell(self, name: str, call: Any) -> None:
        self.answers.setdefault(name, set()).add(await answer(call))


async def found(causes: Causes, count: int = SAMPLES) -> list[Leak]:
    """Return what an observer finds in each of the rounds."""
    for each in causes.values():
        await each(1)  # connections, caches
    seen: list[Leak] = []
    for turn in range(ROUNDS):
        seen = leaks(await samples(causes, count, Random(turn)))
        if not seen:
            break
    return seen


def same(visits: Visits) -> bool:
    """Tell whether all kinds were given one answer, always the same."""
    return len(set().union(*visits.answers.values())) == 1


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
