"""Following auth's stream over real mTLS: losing it, finding it again, and not guessing in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import grpc
import pytest

from services.kit.clients import Channels, PeersConfig
from services.kit.clock import SystemClock
from services.kit.faults import Fault
from services.kit.watch import RevocationState, Watch
from tests.support.assertions import Signer
from tests.support.pki import Pki
from valv.auth.v1 import session_pb2, session_pb2_grpc

CLOCK = SystemClock()
BEAT = session_pb2.WatchResponse(sequence=1, heartbeat=session_pb2.Heartbeat())


def revocation(sequence: int, session: str) -> session_pb2.WatchResponse:
    message = session_pb2.WatchResponse(sequence=sequence, revocation=session_pb2.Revocation(session_id=session))
    message.revocation.time.FromDatetime(CLOCK.now())
    return message


class Auth(session_pb2_grpc.WatchServiceServicer):
    """Sends what it is given; remembers where its followers resumed."""

    def __init__(self, *messages: session_pb2.WatchResponse) -> None:
        self.messages = list(messages)
        self.resumed: list[int] = []
        self.silent = False

    async def Watch(self, request: session_pb2.WatchRequest, context: Any) -> AsyncIterator[session_pb2.WatchResponse]:  # noqa: N802 - gRPC's name
        self.resumed.append(request.after)
        for message in self.messages:
            yield message
        while not self.silent:
            yield session_pb2.WatchResponse(sequence=self.messages[-1].sequence, heartbeat=session_pb2.Heartbeat())
            await asyncio.sleep(0.05)
        await asyncio.sleep(60)


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    made = Pki(tmp_path / "pki")
    made.issue(["auth", "files"])
    return made


@asynccontextmanager
async def serving(pki: Pki, auth: Auth, address: str = "127.0.0.1:0") -> AsyncIterator[str]:
    server = grpc.aio.server()
    session_pb2_grpc.add_WatchServiceServicer_to_server(auth, server)
    port = server.add_secure_port(address, pki.material("auth").server_credentials())
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(0)


@asynccontextmanager
async def following(pki: Pki, address: str) -> AsyncIterator[RevocationState]:
    channels = Channels(pki.material("files"), PeersConfig(auth=address), CLOCK)
    state = RevocationState(CLOCK)
    task = asyncio.create_task(Watch(channels.get("auth"), state, CLOCK).run())
    try:
        yield state
    finally:
        assert not task.done()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await channels.close()


async def until(holds: Callable[[], bool], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - what is waited for happens in a server
            await asyncio.sleep(0.01)


def fresh(state: RevocationState) -> bool:
    try:
        state.require_fresh()
    except Fault:
        return False
    return True


@pytest.mark.clause("P8")
async def test_keys_and_revocations_arrive_and_the_stream_is_resumed(pki: Pki) -> None:
    signer = Signer(CLOCK)
    keys = session_pb2.WatchResponse(sequence=6, keys=session_pb2.KeySet(jwks=signer.jwks))
    auth = Auth(keys, revocation(7, "ses_1"))
    async with serving(pki, auth) as address, following(pki, address) as state:
        await until(lambda: fresh(state))
        assert state.jwks == signer.jwks
        with pytest.raises(Fault, match="SESSION_ENDED"):
            state.require_live("ses_1")
        state.require_live("ses_2")
    assert auth.resumed == [0]


@pytest.mark.clause("P8")
async def test_a_restarted_auth_is_found_again_and_told_where_we_were(pki: Pki) -> None:
    async with serving(pki, Auth(revocation(7, "ses_1"))) as address:
        pass
    async with following(pki, address) as state:
        await asyncio.sleep(0.5)
        assert not fresh(state)  # nobody there yet
        async with serving(pki, Auth(revocation(7, "ses_1")), address):
            await until(lambda: fresh(state))
        again = Auth(revocation(9, "ses_9"))
        async with serving(pki, again, address):
            await until(lambda: again.resumed == [7])
            await until(lambda: "ses_9" in state._revoked)
        assert "ses_1" in state._revoked


@pytest.mark.clause("P8")
async def test_a_frozen_auth_is_noticed_and_asked_again(pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.kit.watch.SILENT_SECONDS", 0.3)
    auth = Auth(BEAT)
    async with serving(pki, auth) as address, following(pki, address) as state:
        await until(lambda: fresh(state))
        auth.silent = True
        await until(lambda: not fresh(state))
        auth.silent = False
        await until(lambda: fresh(state))
        assert len(auth.resumed) > 1


async def test_a_rebuilt_channel_does_not_end_the_watch(pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.kit.clients.GRACE_SECONDS", 0.1)
    auth = Auth(BEAT)
    async with serving(pki, auth) as address:
        material = pki.material("files")
        channels = Channels(material, PeersConfig(auth=address), CLOCK)
        state = RevocationState(CLOCK)
        task = asyncio.create_task(Watch(channels.get("auth"), state, CLOCK).run())
        await until(lambda: fresh(state))
        pki.reissue("files")
        await asyncio.sleep(1.1)
        channels.get("auth").current()  # any call notices
        await until(lambda: len(auth.resumed) == 2)
        assert not task.done()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await channels.close()


async def test_keys_that_are_none_are_not_taken(pki: Pki) -> None:
    bad = session_pb2.WatchResponse(sequence=1, keys=session_pb2.KeySet(jwks="{}"))
    auth = Auth(bad)
    async with serving(pki, auth) as address, following(pki, address) as state:
        await until(lambda: len(auth.resumed) > 1)
        assert not fresh(state)
