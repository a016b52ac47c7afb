"""The files service over real mTLS: bytes in, bytes out, and who is kept away."""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
import ssl
from collections.abc import AsyncIterator
from io import BytesIO

import aiohttp
import grpc
import pytest
import pytest_asyncio
from yarl import URL

from services.kit.ids import Ids
from tests.integration.files_stage import CLOCK, Stage, staged
from valv.audit.v1 import event_pb2
from valv.files.v1 import file_pb2

LIMITS = """
[limits]
quota_bytes = 100000000
max_file_bytes = 90000000
[reconcile]
interval_seconds = 0.2
upload_grace_seconds = 12.0
"""


pytestmark = pytest.mark.asyncio(loop_scope="module")
IDS = Ids(CLOCK)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with staged(tmp_path_factory.mktemp("files"), LIMITS) as stage:
        yield stage


@pytest.fixture
def me() -> dict[str, str]:
    """A customer whom no other test knows, and their session."""
    return {"sub": IDS.new("usr"), "sid": IDS.new("ses")}


async def reason(reply: aiohttp.ClientResponse) -> str:
    assert reply.headers["content-type"].startswith("application/json")
    status = json.loads(await reply.text())
    assert status["details"][0]["domain"] == "valv"
    return str(status["details"][0]["reason"])


async def test_a_file_goes_in_and_comes_out(stage: Stage, me: dict[str, str]) -> None:
    data = secrets.token_bytes(5_000_001)
    async with stage.http() as http, stage.files() as files:
        async with http.post(
            "/v1/files:upload",
            params={"displayName": "årsredovisning 2026 🧾.pdf"},
            data=BytesIO(data),
            headers=stage.headers(**me) | {"content-type": "application/pdf"},
            **stage.options,
        ) as reply:
            assert reply.status == 201
            assert reply.headers["cache-control"] == "no-store"
            made = await reply.json()
        assert made["displayName"] == "årsredovisning 2026 🧾.pdf"
        assert (made["mediaType"], made["size"]) == ("application/pdf", str(len(data)))
        path = f"/v1/files/{made['fileId']}/content"

        async with http.get(path, headers=stage.headers(**me), **stage.options) as reply:
            assert reply.status == 200
            assert await reply.read() == data
            headers = reply.headers
        assert headers["content-type"] == "application/pdf"
        assert headers["content-length"] == str(len(data))
        assert headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in headers["content-security-policy"]
        assert headers["content-disposition"].startswith("attachment; filename*=utf-8''")
        assert "no-store" in headers["cache-control"]
        assert headers["accept-ranges"] == "bytes"
        assert headers["etag"] == made["etag"]
        assert hashlib.sha256(data).hexdigest() not in str(headers)

        async with http.head(path, headers=stage.headers(**me), **stage.options) as reply:
            assert (reply.status, reply.headers["content-length"]) == (200, str(len(data)))
        async with http.get(
            path, headers=stage.headers(**me) | {"range": "bytes=16380-16389"}, **stage.options
        ) as reply:
            assert (reply.status, await reply.read()) == (206, data[16380:16390])
            assert reply.headers["content-range"] == f"bytes 16380-16389/{len(data)}"
        async with http.get(
            path, headers=stage.headers(**me) | {"range": f"bytes={len(data)}-"}, **stage.options
        ) as reply:
            assert (reply.status, await reason(reply)) == (416, "RANGE_NOT_SATISFIABLE")
            assert reply.headers["content-range"] == f"bytes */{len(data)}"
        async with http.get(
            path, headers=stage.headers(**me) | {"if-none-match": made["etag"]}, **stage.options
        ) as reply:
            assert (reply.status, await reply.read()) == (304, b"")

        listed = await files.ListFiles(file_pb2.ListFilesRequest(), metadata=stage.metadata(**me))  # type: ignore[misc]  # mypy infers no type for a lambda with defaults, or for an unpacked mapping
        assert [file.file_id for file in listed.files] == [made["fileId"]]
        assert (listed.used_bytes, listed.quota_bytes) == (len(data), 100_000_000)
        got = await files.GetFile(file_pb2.GetFileRequest(file=made["fileId"]), metadata=stage.metadata(**me))  # type: ignore[misc]  # mypy infers no type for a lambda with defaults, or for an unpacked mapping
        assert got.file.display_name == made["displayName"]

        await files.DeleteFile(file_pb2.DeleteFileRequest(file=made["fileId"]), metadata=stage.metadata(**me))  # type: ignore[misc]  # mypy infers no type for a lambda with defaults, or for an unpacked mapping
        async with http.get(path, headers=stage.headers(**me), **stage.options) as reply:
            assert (reply.status, await reason(reply)) == (404, "FILE_NOT_FOUND")
    assert await stage.kept(me["sub"]) == 0

    events = [event for event in await stage.events() if event.subject == me["sub"]]
    said = [(e.action, e.outcome, e.details.bytes) for e in events if e.object.id == made["fileId"]]
    assert said[0] == ("files.file.upload", event_pb2.OUTCOME_SUCCESS, len(data))
    downloads = [e for e in events if e.action == "files.file.download" and e.outcome == event_pb2.OUTCOME_SUCCESS]
    assert [(e.details.range_start, e.details.bytes) for e in downloads] == [
        (0, len(data)),
        (0, 0),
        (16380, 10),
        (0, 0),
    ]
    assert all((e.subject, e.actor.id, e.session) == (me["sub"], me["sub"], me["sid"]) for e in events if e.session)
    assert said[-1][0] == "files.file.download"
    assert ("files.file.delete", event_pb2.OUTCOME_SUCCESS, len(data)) in said


async def test_empty_files_work(stage: Stage, me: dict[str, str]) -> None:
    file = await stage.put(b"", "empty", **me)
    async with (
        stage.http() as http,
        http.get(f"/v1/files/{file}/content", headers=stage.headers(**me), **stage.options) as reply,
    ):
        assert (reply.status, await reply.read()) == (200, b"")
    async with (
        stage.http() as http,
        http.get(f"/v1/files/{file}/content?file={file}", headers=stage.headers(**me), **stage.options) as reply,
    ):
        assert (reply.status, await reason(reply)) == (400, "INVALID_ARGUMENT")


@pytest.mark.clause("P13")
async def test_another_customers_file_does_not_exist(stage: Stage, me: dict[str, str]) -> None:
    other = {"sub": IDS.new("usr"), "sid": IDS.new("ses")}
    file = await stage.put(b"private", **me)
    async with stage.http() as http, stage.files() as files:
        for method in ("GET", "HEAD"):
            async with http.request(
                method, f"/v1/files/{file}/content", headers=stage.headers(**other), **stage.options
            ) as reply:
                assert reply.status == 404
        for call in (
            files.GetFile(file_pb2.GetFileRequest(file=file), metadata=stage.metadata(**other)),
            files.DeleteFile(file_pb2.DeleteFileRequest(file=file), metadata=stage.metadata(**other)),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call  # type: ignore[misc]  # mypy infers no type for a lambda with defaults, or for an unpacked mapping
            assert caught.value.code() is grpc.StatusCode.NOT_FOUND
        listed = await files.ListFiles(file_pb2.ListFilesRequest(), metadata=stage.metadata(**other))  # type: ignore[misc]  # mypy infers no type for a lambda with defaults, or for an unpacked mapping
        assert (len(listed.files), listed.used_bytes) == (0, 0)
    denied = [e for e in await stage.events() if e.outcome == event_pb2.OUTCOME_DENIED and e.actor.id == other["sub"]]
    assert [(e.reason, e.object.id) for e in denied] == [("FILE_NOT_FOUND", file)] * 4


@pytest.mark.clause("P3")
async def test_only_the_edge_is_admitted_and_only_with_an_assertion(stage: Stage, me: dict[str, str]) -> None:
    path = "/v1/files/fil_01k00000000000000000000001/content"
    for role in ("auth", "billing", "audit", "gateway", "shop"):
        async with stage.http(role) as http, http.get(path, headers=stage.headers(**me), **stage.options) as reply:
            assert (reply.status, await reason(reply)) == (403, "PERMISSION_DENIED")
    async with stage.http() as http:
        for headers in ({}, {"x-valv-assertion": "nonsense"}, stage.headers(**me, iss="https://evil.example")):
            async with http.get(path, headers=headers, **stage.options) as reply:
                assert (reply.status, await reason(reply)) == (401, "UNAUTHENTICATED")
        async with http.post("/v1/files:upload", params={"displayName": "x"}, data=b"x", **stage.options) as reply:
            assert (reply.status, await reason(reply)) == (401, "UNAUTHENTICATED")
    naked = ssl.create_default_context(cafile=str(stage.pki.config("envoy").bundle))
    async with aiohttp.ClientSession(f"https://127.0.0.1:{stage.data_port}") as session:
        with pytest.raises(aiohttp.ClientError):
            await session.get(path, ssl=naked, **stage.options)
    assert await stage.kept(me["sub"]) == 0


WRONG = [
    ("/v1/files:upload?displayName=a%0Ab", {}, 400, "INVALID_ARGUMENT"),
    ("/v1/files:upload", {}, 400, "INVALID_ARGUMENT"),
    ("/v1/files:upload?displayName=" + "x" * 256, {}, 400, "INVALID_ARGUMENT"),
    ("/v1/files:upload?displayName=x&unknown=1", {}, 400, "INVALID_ARGUMENT"),
    ("/v1/files:upload?displayName=x&content=1", {}, 400, "INVALID_ARGUMENT"),
    ("/v1/files:upload?displayName=4111%201111%201111%201111", {}, 400, "CARD_NUMBER_REFUSED"),
    ("/v1/files:upload?displayName=x&displayName=y", {}, 400, "INVALID_ARGUMENT"),
    ("/v1/files:upload?displayName=x&display_name=y", {}, 400, "INVALID_ARGUMENT"),
    ("/v1/files:download", {}, 404, "NOT_FOUND"),
    ("/v1/files:upload?displayName=x", {"content-length": "90000001"}, 400, "FILE_TOO_LARGE"),
]


async def test_wrong_uploads_are_told_why(stage: Stage, me: dict[str, str]) -> None:
    for target, headers, status, why in WRONG:
        async with (
            stage.http() as http,
            http.post(
                URL(target, encoded=True),
                data=None if headers else b"x",
                headers=stage.headers(**me) | headers,
                **stage.options,
            ) as reply,
        ):
            assert (reply.status, await reason(reply)) == (status, why), target
    assert await stage.kept(me["sub"]) == 0


async def test_a_body_without_a_length_is_refused(stage: Stage, me: dict[str, str]) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"x"

    async with (
        stage.http() as http,
        http.post(
            "/v1/files:upload", params={"displayName": "x"}, data=body(), headers=stage.headers(**me), **stage.options
        ) as reply,
    ):
        assert (reply.status, await reason(reply)) == (400, "LENGTH_REQUIRED")


async def raw(stage: Stage) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    context = stage.pki.client_context("envoy")
    return await asyncio.open_connection(
        "127.0.0.1", stage.data_port, ssl=context, server_hostname=f"files.{stage.pki.domain}"
    )


def head(stage: Stage, me: dict[str, str], verb: str, target: str, length: int) -> bytes:
    token = stage.headers(**me)["x-valv-assertion"]
    return (
        f"{verb} {target} HTTP/1.1\r\nhost: x\r\nx-valv-assertion: {token}\r\ncontent-length: {length}\r\n\r\n".encode()
    )


async def settled(stage: Stage) -> None:
    """Wait until nothing is under way."""
    for _ in range(600):
        if not await stage.count("uploads") and not await stage.count("shreds"):
            return
        await asyncio.sleep(0.1)
    pytest.fail("something is under way for ever")


async def test_a_truncated_upload_keeps_nothing(stage: Stage, me: dict[str, str]) -> None:
    _reader, writer = await raw(stage)
    writer.write(head(stage, me, "POST", "/v1/files:upload?displayName=x", 3_000_000) + bytes(2_000_000))
    await writer.drain()
    await asyncio.sleep(0.3)
    writer.close()
    await settled(stage)
    assert await stage.kept(me["sub"]) == 0
    async with stage.files() as files:
        listed = await files.ListFiles(file_pb2.ListFilesRequest(), metadata=stage.metadata(**me))  # type: ignore[misc]  # mypy infers no type for a lambda with defaults, or for an unpacked mapping
    assert len(listed.files) == 0


async def refused(stage: Stage, me: dict[str, str]) -> event_pb2.Event:
    """Wait for the record of a transfer that was cut."""
    for _ in range(100):
        found = [e for e in await stage.events() if e.subject == me["sub"] and e.reason == "SESSION_ENDED"]
        if found:
            return found[0]
        await asyncio.sleep(0.1)
    pytest.fail("the transfer goes on")


@pytest.mark.clause("P7", "P8")
async def test_a_running_download_is_cut_within_a_second_of_sign_out(stage: Stage, me: dict[str, str]) -> None:
    file = await stage.put(bytes(80_000_000), **me)
    reader, writer = await raw(stage)
    writer.write(head(stage, me, "GET", f"/v1/files/{file}/content", 0))
    assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
    await asyncio.sleep(0.3)
    ended = CLOCK.now().timestamp()
    stage.auth.revoke(me["sid"])
    refusal = await refused(stage, me)
    assert refusal.action == "files.file.download"
    assert refusal.time.ToMilliseconds() / 1000 - ended < 1.3
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError, ssl.SSLError)):
        await reader.readexactly(80_000_000)
    writer.close()


@pytest.mark.clause("P7")
async def test_a_running_upload_is_cut_within_a_second_of_its_sessions_end(stage: Stage, me: dict[str, str]) -> None:
    reader, writer = await raw(stage)
    now = stage.signer.clock.now().timestamp()
    token = stage.headers(**me, ends=now + 1.0)["x-valv-assertion"]
    request = f"POST /v1/files:upload?displayName=x HTTP/1.1\r\nhost: x\r\nx-valv-assertion: {token}\r\n"
    writer.write(request.encode() + b"content-length: 3000000\r\n\r\n" + bytes(1_000_000))
    answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    assert b"401" in answer.splitlines()[0]
    assert (await refused(stage, me)).time.ToMilliseconds() / 1000 - now < 2.0
    writer.close()
    await settled(stage)
    assert await stage.kept(me["sub"]) == 0


async def test_a_killed_process_loses_nothing_it_acknowledged(stage: Stage, me: dict[str, str]) -> None:
    data = secrets.token_bytes(3_000_000)
    kept = await stage.put(data, **me)
    _reader, writer = await raw(stage)
    writer.write(head(stage, me, "POST", "/v1/files:upload?displayName=x", 30_000_000) + bytes(20_000_000))
    await asyncio.sleep(0.2)
    await stage.kill()
    writer.close()
    await stage.start()
    await settled(stage)
    assert await stage.kept(me["sub"]) == 1
    assert len(stage.blobs()) == await stage.count("blobs") == await stage.count("files")
    async with (
        stage.http() as http,
        http.get(f"/v1/files/{kept}/content", headers=stage.headers(**me), **stage.options) as reply,
    ):
        assert await reply.read() == data


async def test_a_process_told_to_stop_lets_a_transfer_end(stage: Stage, me: dict[str, str]) -> None:
    data = secrets.token_bytes(20_000_000)
    file = await stage.put(data, **me)
    reader, writer = await raw(stage)
    writer.write(head(stage, me, "GET", f"/v1/files/{file}/content", 0))
    assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
    stopping = asyncio.create_task(stage.stop())
    await asyncio.sleep(0.5)
    assert await reader.readexactly(len(data)) == data
    writer.close()
    assert await stopping == 0
    await stage.start()


@pytest.mark.clause("P6", "P13")
async def test_nothing_secret_is_written_anywhere(stage: Stage, me: dict[str, str]) -> None:
    name = "NAME" + secrets.token_hex(12)
    content = b"CONTENT" + secrets.token_hex(12).encode()
    file = await stage.put(content, name, **me)
    headers = stage.headers(**me)
    async with (
        stage.http() as http,
        http.get(f"/v1/files/{file}/content", headers=headers | {"range": "bytes=9-1"}, **stage.options) as reply,
    ):
        assert reply.status == 416
    assert await stage.stop() == 0
    for path in stage.folder.rglob("*"):
        if path.is_file() and "pki" not in path.parts:
            text = path.read_bytes()
            for secret in (name.encode(), content, headers["x-valv-assertion"].encode()):
                assert secret not in text, path
    await stage.start()
