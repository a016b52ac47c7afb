"""From a sign-out at the edge to the last refusal in any service, with 0, 1,000 and 10,000 sessions revoked lately.

The whole of Valv runs. Each service is asked each 20 ms, by the edge's identity and with an assertion that is still
good, until it refuses. Told are the times from sending the sign-out, which is then still to be made and recorded, and
from its answer (zero: everybody knew before). The asking costs what it costs, and is in the numbers.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median
from typing import Any, Self

import grpc
import httpx

from deploy.cli.certs import DOMAIN
from services.kit.clients import reason_of
from tests.integration.test_revocation import revoke_all
from tests.support.live import Live
from tests.support.person import Person, newcomer
from valv.audit.v1 import activity_pb2, activity_pb2_grpc
from valv.auth.v1 import account_pb2, account_pb2_grpc
from valv.billing.v1 import card_pb2, card_pb2_grpc
from valv.files.v1 import file_pb2, file_pb2_grpc

SIGN_OUTS = 20
PAUSE_SECONDS = 0.02
SETTLE_SECONDS = 3
REVOKED = (0, 1_000, 10_000)
_HOME = (("x-valv-client-address", "192.0.2.7"), ("user-agent", "bench"))


def run() -> dict[str, float]:
    """Measure; milliseconds."""
    with tempfile.TemporaryDirectory(prefix="valv-bench-") as folder:
        live = Live(Path(folder))
        try:
            live.start()
            return asyncio.run(_measure(live, newcomer(live)))
        finally:
            live.close()


async def _measure(live: Live, person: Person) -> dict[str, float]:
    numbers: dict[str, float] = {}
    async with AsyncExitStack() as stack:
        asks = [await stack.enter_async_context(_Ask(live, *one)) for one in _asks()]
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=live.address, verify=live.trust))
        for count in REVOKED:
            if count:
                await asyncio.to_thread(revoke_all, live.layout.data / "auth" / "auth.db", count)
                await asyncio.sleep(SETTLE_SECONDS)  # so many come over a minute, never in one instant
            times = [await _sign_out(client, person, asks) for _ in range(SIGN_OUTS)]
            sent, answered = zip(*times, strict=True)
            numbers[f"{count}_revoked_last_refusal_after_sending_p50_ms"] = median(sent)
            numbers[f"{count}_revoked_last_refusal_after_sending_slowest_ms"] = max(sent)
            numbers[f"{count}_revoked_last_refusal_after_answer_p50_ms"] = median(answered)
            numbers[f"{count}_revoked_last_refusal_after_answer_slowest_ms"] = max(answered)
    return numbers


async def _sign_out(client: httpx.AsyncClient, person: Person, asks: list[_Ask]) -> tuple[float, float]:
    body = {"email": person.email, "password": person.password, "delivery": "TOKEN_DELIVERY_BODY"}
    opened = (await client.post("/v1/session:signIn", json=body)).raise_for_status()
    bearer = {"Valv-Session": opened.json()["sessionToken"]}
    assertion = (await client.get("/v1/files", headers=bearer)).headers["valv-assertion"]
    for ask in asks:
        if await ask.reason(assertion):
            raise RuntimeError("refused before it was signed out")
    begun = time.perf_counter()
    refusals = [asyncio.create_task(ask.refused(assertion)) for ask in asks]
    (await client.post("/v1/session:signOut", json={}, headers=bearer)).raise_for_status()
    answered = time.perf_counter()
    last = max(await asyncio.gather(*refusals))
    return (last - begun) * 1000, max(last - answered, 0) * 1000


class _Ask:
    """A service and the call that it is asked with."""

    def __init__(self, live: Live, role: str, stub: Any, method: str, request: Any) -> None:
        folder = live.layout.certificates / "workload"
        read = [(folder / name).read_bytes() for name in ("ca.pem", "envoy.key", "envoy.pem")]
        options = (("grpc.ssl_target_name_override", f"{role}.{DOMAIN}"), ("grpc.enable_http_proxy", 0))
        address = f"127.0.0.1:{getattr(live.layout.ports, role)}"
        self._channel = grpc.aio.secure_channel(address, grpc.ssl_channel_credentials(*read), options)
        self._call, self._request = getattr(stub(self._channel), method), request

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._channel.close()

    async def reason(self, assertion: str) -> str:
        """Return why it refuses, or nothing."""
        try:
            await self._call(self._request, metadata=(*_HOME, ("x-valv-assertion", assertion)), timeout=10)
        except grpc.aio.AioRpcError as error:
            return reason_of(error)
        return ""

    async def refused(self, assertion: str) -> float:
        """Ask until it says that the session has ended; return when."""
        while await self.reason(assertion) != "SESSION_ENDED":  # noqa: ASYNC110 - it happens in another process
            await asyncio.sleep(PAUSE_SECONDS)
        return time.perf_counter()


def _asks() -> list[tuple[str, Any, str, Any]]:
    return [
        ("auth", account_pb2_grpc.AccountServiceStub, "GetSession", account_pb2.GetSessionRequest()),
        ("files", file_pb2_grpc.FileServiceStub, "ListFiles", file_pb2.ListFilesRequest()),
        ("billing", card_pb2_grpc.CardServiceStub, "ListCards", card_pb2.ListCardsRequest()),
        ("audit", activity_pb2_grpc.ActivityServiceStub, "ListActivity", activity_pb2.ListActivityRequest()),
    ]
