"""Operators and customers finding events over mTLS: recorded, and told to those whom the events are about."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio

from deploy.cli import audit
from deploy.cli.verify import receipt as proof
from deploy.cli.verify.note import parse_key
from deploy.cli.verify.trust import Trust
from tests.integration.audit_stage import CLOCK, IDS, Producer, Stage, event, stage
from tests.integration.test_audit_service import activity, reason, signed
from valv.audit.v1 import (
    activity_pb2,
    activity_pb2_grpc,
    append_pb2_grpc,
    event_pb2,
    log_pb2,
    log_pb2_grpc,
    search_pb2,
    search_pb2_grpc,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")
Tell = Callable[[], Any]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """One process for all."""
    async with stage(tmp_path_factory.mktemp("audit")) as made:
        await made.start()
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def producer(served: Stage) -> AsyncIterator[Producer]:
    """Files, as the log sees it."""
    async with served.channel("files") as channel:
        yield Producer(append_pb2_grpc.AppendServiceStub(channel))


async def run(served: Stage, *arguments: str, certificate: Path | None = None) -> int:
    own = certificate or served.pki.operator("greta").certificate
    flags = ["--audit", f"127.0.0.1:{served.port}", "--bundle", str(served.folder / "pki" / "workload" / "ca.pem")]
    return await asyncio.to_thread(audit.main, [*arguments, "--certificate", str(own), *flags])


async def told(served: Stage, customer: str, action: str) -> list[event_pb2.Event]:
    """Wait for the customer to be told of an operator's act."""
    async with served.channel("envoy") as edge, asyncio.timeout(10):
        while True:
            rows = [row.event for row in (await activity(edge, served, customer)).activities]
            if found := [one for one in rows if one.action == action]:
                return found
            await asyncio.sleep(0.1)


@pytest.mark.clause("PCI DSS 10.2.1.3", "P5")
async def test_what_an_operator_finds_is_recorded_and_told_to_each_customer(
    served: Stage, producer: Producer, capsys: pytest.CaptureFixture[str]
) -> None:
    anna, bo = IDS.new("usr"), IDS.new("usr")
    await producer.append(
        event(anna, "files.file.shred"), event(bo, "files.file.shred"), event(anna, "files.file.shred")
    )
    since = (CLOCK.now() - timedelta(minutes=5)).isoformat()
    asked = ["search", "--action", "files.file.shred", "--since", since, "--reason", "abuse", "--json"]
    assert await run(served, *asked) == 0
    out = capsys.readouterr()
    rows = [json.loads(line) for line in out.out.splitlines()]
    assert [row["event"]["subject"] for row in rows] == [anna, bo, anna]
    assert all(len(row["leafHash"]) == 64 for row in rows)
    assert "3 events answer" in out.err
    for customer, count in ((anna, 2), (bo, 1)):
        (one,) = await told(served, customer, "audit.operator.read")
        assert (one.actor.kind, one.actor.id) == (event_pb2.Actor.KIND_OPERATOR, "greta")
        assert (one.details.count, one.details.cause) == (count, "abuse")
        assert not one.HasField("origin")
    assert await run(served, "search", "--action", "audit.operator.search", "--reason", "review", "--json") == 0
    (search,) = [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()]
    assert search["details"] == {"count": "3", "cause": "abuse", "filters": "action,time"}
    assert (search["actor"], search.get("subject")) == ({"kind": "KIND_OPERATOR", "id": "greta"}, None)


@pytest.mark.clause("PCI DSS 10.2.1.3", "P5")
async def test_a_receipt_that_an_operator_fetches_holds_and_is_told(
    served: Stage, producer: Producer, capsys: pytest.CaptureFixture[str]
) -> None:
    anna = IDS.new("usr")
    mine = event(anna)
    await producer.append(mine)
    async with served.channel("envoy") as edge:
        rows = (await activity(edge, served, anna)).activities
        await signed(edge, next(row.index for row in rows if row.event == mine) + 1)
        key = await log_pb2_grpc.LogServiceStub(edge).GetKey(log_pb2.GetKeyRequest())
    async with asyncio.timeout(10):
        while await run(served, "receipt", mine.event_id, "--reason", "owner"):
            assert "NOT_YET_PROVABLE" in capsys.readouterr().err
            await asyncio.sleep(0.2)
    text = capsys.readouterr().out
    assert proof.verify(text.encode(), Trust((parse_key(key.data.decode().strip()),))).event["id"] == mine.event_id
    (one,) = await told(served, anna, "audit.operator.receipt")
    assert (one.object.id, one.details.cause) == (mine.event_id, "owner")
    assert await run(served, "receipt", IDS.new("evt"), "--reason", "owner") == 1
    assert "NOT_FOUND" in capsys.readouterr().err


@pytest.mark.clause("P3", "ASVS 8.2.1")
async def test_nobody_else_searches(served: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    for role in ("envoy", "gateway", "files", "auth", "shop"):
        certificate = served.pki.config(role).certificate
        assert await run(served, "search", "--reason", "review", certificate=certificate) == 1
        assert "PERMISSION_DENIED" in capsys.readouterr().err


async def test_what_is_no_question_is_refused(served: Stage) -> None:
    config = served.pki.operator("greta")
    credentials = grpc.ssl_channel_credentials(
        config.bundle.read_bytes(), config.key.read_bytes(), config.certificate.read_bytes()
    )
    options = (("grpc.ssl_target_name_override", f"audit.{served.pki.domain}"), ("grpc.enable_http_proxy", 0))
    good: dict[str, Any] = {"reason": search_pb2.SEARCH_REASON_REVIEW}
    cases: list[dict[str, Any]] = [
        {"reason": 0},
        {"reason": 99},
        {"subject": "anna@example.com"},
        {"subject": IDS.new("evt")},
        {"action": "a" * 97},
        {"object": "x y"},
        {"actor": "\u202e"},
        {"outcome": 9},
        {"actor_kind": 9},
        {"page_size": 101},
        {"page_token": "A" * 60_000},
        {"from_time": {"seconds": 1 << 60}},
        {"from_time": {"seconds": 7}, "to_time": {"seconds": 7}},
    ]
    async with grpc.aio.secure_channel(f"127.0.0.1:{served.port}", credentials, options) as channel:
        stub = search_pb2_grpc.SearchServiceStub(channel)
        for changes in cases:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.SearchEvents(search_pb2.SearchEventsRequest(**(good | changes)))
            assert reason(refused.value) == "INVALID_ARGUMENT", changes


async def test_a_customer_downloads_what_answers_their_filter(served: Stage, producer: Producer) -> None:
    anna, form = IDS.new("usr"), activity_pb2.DownloadActivityRequest
    mine = [event(anna, "files.file.download") for _ in range(450)]
    for start in range(0, 450, 150):
        await producer.append(*mine[start : start + 150], event(anna, "auth.session.open"), event(IDS.new("usr")))
    async with served.channel("envoy") as edge:
        await activity(edge, served, anna)
        stub = activity_pb2_grpc.ActivityServiceStub(edge)

        async def pages(**filters: Any) -> list[Any]:
            token, got = "", []
            while True:
                call = stub.DownloadActivity(form(page_token=token, **filters), metadata=served.customer(anna))
                got.append(await call)
                token = str(dict(await call.initial_metadata()).get("valv-next-page-token", ""))
                if not token:
                    return got

        got = await pages(format=form.FORMAT_CSV, action="files.file.download")
        assert [page.content_type for page in got] == ["text/csv; charset=utf-8"] * 3
        lines = b"".join(page.data for page in got).decode().split("\r\n")
        assert lines[0].startswith("index,event_id,leaf_hash,time,action")
        assert [line.split(",")[1] for line in lines[1:-1]] == [one.event_id for one in reversed(mine)]
        head = await signed(edge, int(lines[1].split(",")[0]) + 1)
        async with asyncio.timeout(10):
            while True:
                got = await pages(format=form.FORMAT_RECEIPTS, area="files")
                rows = [json.loads(line) for page in got for line in page.data.splitlines()]
                if all("receipt" in row for row in rows):
                    break
                await asyncio.sleep(0.2)
        assert len(rows) == 450
        assert all(head.origin in row["receipt"] and row["event"]["subject"] == anna for row in rows)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.DownloadActivity(form(), metadata=served.customer(anna))
        assert reason(refused.value) == "INVALID_ARGUMENT"
