"""Accounts of every kind behind one door, calls at it, and what an observer of the answers and their times finds."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import grpc
import pyotp
from google.rpc import error_details_pb2, status_pb2

from tests.integration.auth_stage import PASSWORD, Edge, Mailbox, Stage, edge, mail_server
from tests.support.authenticator import Authenticator
from tests.support.authenticator_app import shown
from tests.support.limits import lift
from tests.support.pki import Pki
from tests.support.timing import ROUNDS, Leak, leaks, samples
from valv.auth.v1 import account_pb2, email_pb2, factor_pb2, factor_pb2_grpc

SAMPLES = 150
WRONG = "another lighthouse, another keeper"
KNOWN, DISABLED, UNCONFIRMED = "anna@example.com", "dag@example.com", "ulla@example.com"
NOBODY = "nobody@example.com"
TWO_STEPS, PASSKEY_ONLY = "tora@example.com", "petra@example.com"
Attempt = Callable[[int], Awaitable[object]]
Causes = Mapping[str, Attempt]


@asynccontextmanager
async def serving(
    folder: Path, *, lifted: bool = True, module: str = "services.auth"
) -> AsyncIterator[tuple[Stage, Edge]]:
    """Auth with one account of each kind."""
    async with _empty(folder, module, lifted=lifted) as (stage, browser, mailbox):
        for email in (KNOWN, DISABLED, UNCONFIRMED):
            await browser.sign_up(email)
            if email != UNCONFIRMED:
                await browser.confirm(await mailbox.token(email))
        write(stage, "UPDATE accounts SET disabled_us = 1, disabled_because = 'abuse' WHERE lookup = ?", DISABLED)
        yield stage, browser


@dataclass(frozen=True)
class Guarded:
    """What the owners of second factors hold."""

    app: pyotp.TOTP
    """Of ``TWO_STEPS``."""
    codes: Sequence[str]
    """Their recovery codes."""


@asynccontextmanager
async def guarded(folder: Path, module: str = "services.auth") -> AsyncIterator[tuple[Stage, Edge, Guarded]]:
    """Auth with an account that has a password, one with an authenticator app too, and one with a passkey alone."""
    async with _empty(folder, module, lifted=True) as (stage, browser, mailbox), stage.channel("envoy") as channel:
        factors: Any = factor_pb2_grpc.FactorServiceStub(channel)

        async def ask(token: str, method: str, request: Any) -> Any:
            metadata = browser.with_((await browser.renew(token)).assertion)
            return await getattr(factors, method)(request, metadata=metadata, timeout=20)

        tokens = {}
        for email in (KNOWN, TWO_STEPS, PASSKEY_ONLY):
            await browser.sign_up(email)
            await browser.confirm(await mailbox.token(email))
            tokens[email] = await browser.sign_in(email)
        begun = await ask(tokens[TWO_STEPS], "BeginTotp", factor_pb2.BeginTotpRequest())
        app = pyotp.TOTP(begun.secret)
        code = shown(app, -1)
        told = await ask(tokens[TWO_STEPS], "ConfirmTotp", factor_pb2.ConfirmTotpRequest(code=code))
        asked = await ask(tokens[PASSKEY_ONLY], "BeginPasskey", factor_pb2.BeginPasskeyRequest())
        made = Authenticator("https://localhost:8443").create(asked.options_json)
        passkey = factor_pb2.ConfirmPasskeyRequest(credential_json=made, display_name="Laptop")
        await ask(tokens[PASSKEY_ONLY], "ConfirmPasskey", passkey)
        await ask(tokens[PASSKEY_ONLY], "RemovePassword", factor_pb2.RemovePasswordRequest())
        yield stage, browser, Guarded(app, list(told.recovery_codes))


@asynccontextmanager
async def _empty(folder: Path, module: str, *, lifted: bool) -> AsyncIterator[tuple[Stage, Edge, Mailbox]]:
    mailbox = Mailbox()
    async with mail_server(mailbox) as port:
        stage = Stage(folder, Pki(folder), port, level="INFO", module=module)
        if lifted:
            lift(stage.path)
        await stage.start()
        try:
            async with edge(stage) as browser:
                yield stage, browser, mailbox
        finally:
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

    def sign_in(self, name: str, email: str, password: str) -> Attempt:
        """Try to sign in."""

        async def once(number: int) -> None:
            if not number % 40:  # failures in a row shut out strangers, known and unknown alike
                write(self._stage, "DELETE FROM counters")
            request = account_pb2.SignInRequest(email=email, password=password)
            await self._tell(name, self._browser.accounts.SignIn(request, metadata=self._browser.metadata, timeout=20))

        return once

    def sign_up(self, name: str, email: str) -> Attempt:
        """Sign up; ``email`` may take a number."""

        async def once(number: int) -> None:
            request = account_pb2.SignUpRequest(email=email.format(number), password=PASSWORD)
            await self._tell(name, self._browser.accounts.SignUp(request, metadata=self._browser.metadata, timeout=20))

        return once

    def proceed(self, name: str, challenge: str, **answer: Callable[[], str]) -> Attempt:
        """Answer a challenge."""

        async def once(number: int) -> None:
            if not number % 40:
                write(self._stage, "DELETE FROM counters")
            request = account_pb2.ContinueSignInRequest(challenge=challenge)
            for field, value in answer.items():
                setattr(request, field, value())
            call = self._browser.accounts.ContinueSignIn(request, metadata=self._browser.metadata, timeout=20)
            await self._tell(name, call)

        return once

    def recover(self, name: str, email: str) -> Attempt:
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
