"""Ten thousand sessions ended in the last minute: the next sign-out still reaches every service, and none is lost."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration.auth_stage import Edge, Mailbox, Stage, edge, mail_server
from tests.support.followers import Follower, all_following, following, until
from tests.support.pki import Pki
from valv.auth.v1 import account_pb2

EMAIL = "anna@example.com"
ISSUER = "https://localhost:8443"
COUNT = 10_000
ENDED = [f"ses_{number:026d}" for number in range(COUNT)]


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """Auth, serving, with one account."""
    mailbox = Mailbox()
    async with mail_server(mailbox) as port:
        made = Stage(tmp_path, Pki(tmp_path), port, level="INFO")
        await made.start()
        async with edge(made) as browser:
            await browser.sign_up(EMAIL)
            await browser.confirm(await mailbox.token(EMAIL))
        yield made
        await made.stop()


def revoke_all(database: Path, count: int = COUNT) -> None:
    """Write the rows that as many sign-outs, spread over the last 20 seconds, leave behind."""
    begun = time.time_ns() // 1000 - 20_000_000
    with closing(sqlite3.connect(database, timeout=30)) as connection, connection:
        (last,) = connection.execute("SELECT sequence FROM revocation_head").fetchone()
        rows = [(last + 1 + at, one, begun + at * 20_000_000 // count) for at, one in enumerate(ENDED[:count])]
        connection.executemany("INSERT INTO revocations (sequence, session_id, revoked_us) VALUES (?, ?, ?)", rows)
        connection.execute("UPDATE revocation_head SET sequence = ?", (last + count,))


async def leave(browser: Edge) -> str:
    """Sign in and out; return the assertion that was good in between."""
    renewed = await browser.renew(await browser.sign_in(EMAIL))
    assertion = str(renewed.assertion)
    await browser.accounts.SignOut(account_pb2.SignOutRequest(), metadata=browser.with_(assertion))
    return assertion


def all_know(followers: dict[str, Follower], assertion: str) -> bool:
    return {one.verdict(assertion) for one in followers.values()} == {"SESSION_ENDED"}


@pytest.mark.clause("P8", "ASVS 7.4.1")
async def test_a_sign_out_after_ten_thousand_reaches_every_service(stage: Stage) -> None:
    address = f"127.0.0.1:{stage.port}"
    async with edge(stage) as browser, all_following(stage.pki, address, ISSUER) as followers:
        alive = str((await browser.renew(await browser.sign_in(EMAIL))).assertion)
        await until(lambda: {one.verdict(alive) for one in followers.values()} == {"OK"})
        await asyncio.to_thread(revoke_all, stage.folder / "auth.db")
        gone = await leave(browser)
        await until(lambda: all_know(followers, gone))
        assert {role: one.knows(ENDED) for role, one in followers.items()} == dict.fromkeys(followers, COUNT)
        assert {one.verdict(alive) for one in followers.values()} == {"OK"}


@pytest.mark.clause("P8", "ASVS 7.4.1")
async def test_whoever_starts_anew_knows_all_ten_thousand_before_it_admits_anybody(stage: Stage) -> None:
    address = f"127.0.0.1:{stage.port}"
    async with edge(stage) as browser:
        alive = str((await browser.renew(await browser.sign_in(EMAIL))).assertion)
        gone = await leave(browser)
        await asyncio.to_thread(revoke_all, stage.folder / "auth.db")
    await stage.kill()
    await stage.start()
    async with following(stage.pki, address, ISSUER, "files") as follower:
        while (verdict := follower.verdict(alive)) != "OK":
            assert verdict in ("REVOCATION_UNKNOWN", "UNAUTHENTICATED")
            assert follower.verdict(gone) in ("REVOCATION_UNKNOWN", "UNAUTHENTICATED", "SESSION_ENDED")
            await asyncio.sleep(0)
        assert follower.verdict(gone) == "SESSION_ENDED"
        assert follower.knows(ENDED) == COUNT
