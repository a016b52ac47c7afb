"""Ten times as many sign-ins at once as there are places for: memory stays, the excess is told when to come back."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from tests.integration.auth_stage import Edge, Mailbox, Stage, edge, highest_mib, mail_server
from tests.support.limits import lift
from tests.support.pki import Pki
from valv.auth.v1 import account_pb2

EMAIL = "anna@example.com"
PLACES = 34
"""Two threads and 32 that wait: what the configuration says when it says nothing."""
ARGON2_MIB = 19
SLACK_MIB = 64


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[tuple[Stage, Mailbox]]:
    """Auth, serving."""
    mailbox = Mailbox()
    async with mail_server(mailbox) as port:
        made = Stage(tmp_path, Pki(tmp_path), port, level="INFO")
        lift(made.path)
        await made.start()
        yield made, mailbox
        await made.stop()


async def knock(browser: Edge, number: int) -> tuple[str, bool]:
    """Try to sign in; return the reason, and whether it was said when to come back."""
    request = account_pb2.SignInRequest(email=f"{number}@example.com", password="not the password at all")
    try:
        await browser.accounts.SignIn(request, metadata=browser.metadata, timeout=60)
    except grpc.aio.AioRpcError as error:
        status = status_pb2.Status()
        status.ParseFromString(dict(error.trailing_metadata() or ())["grpc-status-details-bin"])
        info = error_details_pb2.ErrorInfo()
        status.details[0].Unpack(info)
        retry = any(detail.type_url.endswith("/google.rpc.RetryInfo") for detail in status.details)
        return info.reason, retry and "retry-after" in dict(error.initial_metadata() or ())
    raise AssertionError("nobody has this account")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.clause("P9", "ASVS 15.2.2")
async def test_in_a_flood_memory_is_bounded_the_excess_is_shed_and_sessions_are_renewed(
    stage: tuple[Stage, Mailbox],
) -> None:
    served, mailbox = stage
    async with edge(served) as browser:
        await browser.sign_up(EMAIL)
        await browser.confirm(await mailbox.token(EMAIL))
        token = await browser.sign_in(EMAIL)
        await asyncio.gather(*(knock(browser, number) for number in range(PLACES)))
        before = highest_mib(served)
        flood = [asyncio.create_task(knock(browser, number)) for number in range(10 * PLACES)]
        renewed: list[Any] = []
        while not all(task.done() for task in flood):
            renewed.append(await browser.renew(token))
        outcomes = Counter(await asyncio.gather(*flood))
        assert highest_mib(served) - before < 2 * ARGON2_MIB + SLACK_MIB
        assert set(outcomes) == {("BAD_CREDENTIALS", False), ("OVERLOADED", True)}
        assert outcomes["BAD_CREDENTIALS", False] >= PLACES
        assert outcomes["OVERLOADED", True] >= PLACES
        assert len(renewed) > 3
        assert all(reply.assertion for reply in renewed)
        assert await browser.sign_in(EMAIL)
