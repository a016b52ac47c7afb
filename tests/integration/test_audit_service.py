"""The audit service whole: over mTLS, through the kit's chain, killed and started again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.rpc import error_details_pb2, status_pb2

from services.audit import merkle
from services.audit.checkpoint import Checkpoint, parse
from services.audit.tiles import split_entries, split_hashes
from tests.integration.audit_stage import IDS, Producer, Stage, event, stage
from valv.audit.v1 import (
    activity_pb2,
    activity_pb2_grpc,
    append_pb2,
    append_pb2_grpc,
    event_pb2,
    log_pb2,
    log_pb2_grpc,
    practices_pb2,
    practices_pb2_grpc,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """One process for the tests that do not hurt it."""
    async with stage(tmp_path_factory.mktemp("audit")) as made:
        await made.start()
        yield made


def reason(error: grpc.aio.AioRpcError) -> str:
    """The stable reason in a refusal."""
    data = dict(error.trailing_metadata())["grpc-status-details-bin"]
    assert isinstance(data, bytes)
    info = error_details_pb2.ErrorInfo()
    assert status_pb2.Status.FromString(data).details[0].Unpack(info)
    return info.reason


async def signed(channel: grpc.aio.Channel, size: int) -> Checkpoint:
    """Wait for a checkpoint over at least `size` entries."""
    stub = log_pb2_grpc.LogServiceStub(channel)
    async with asyncio.timeout(10):
        while True:
            reply = await stub.GetCheckpoint(log_pb2.GetCheckpointRequest())
            head = parse(reply.data.decode().partition("\n\n")[0] + "\n")
            if head.size >= size:
                return head
            await asyncio.sleep(0.1)


async def activity(channel: grpc.aio.Channel, served: Stage, subject: str) -> activity_pb2.ListActivityResponse:
    stub = activity_pb2_grpc.ActivityServiceStub(channel)
    async with asyncio.timeout(10):
        while True:
            try:
                return await stub.ListActivity(
                    activity_pb2.ListActivityRequest(), metadata=served.customer(subject), timeout=5
                )
            except grpc.aio.AioRpcError as error:  # until auth's stream is heard
                assert reason(error) == "REVOCATION_UNKNOWN"  # noqa: PT017 - the loop needs the other branch
                await asyncio.sleep(0.1)


@pytest.mark.clause("P5")
async def test_a_record_becomes_a_row_with_a_receipt(served: Stage) -> None:
    anna, bo = IDS.new("usr"), IDS.new("usr")
    async with served.channel("files") as files, served.channel("envoy") as edge:
        mine = event(anna)
        assert await Producer(append_pb2_grpc.AppendServiceStub(files)).append(event(bo), mine) == 2
        row = (await activity(edge, served, anna)).activities[-1]
        assert row.event == mine
        assert row.producer == "files"
        head = await signed(edge, row.index + 1)
        stub = activity_pb2_grpc.ActivityServiceStub(edge)
        request = activity_pb2.GetReceiptRequest(event=mine.event_id)
        receipt = await stub.GetReceipt(request, metadata=served.customer(anna))
        assert receipt.content_type == "text/plain; charset=utf-8"
        assert f"\nindex {row.index}\n".encode() in receipt.data
        assert head.origin.encode() in receipt.data
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.GetReceipt(request, metadata=served.customer(bo))
        assert refused.value.code() is grpc.StatusCode.NOT_FOUND
        await _sees(edge, served, anna, "audit.receipt.read")


async def _sees(edge: grpc.aio.Channel, served: Stage, subject: str, action: str) -> None:
    """Reading the log is in the log."""
    async with asyncio.timeout(10):
        while True:
            rows = (await activity(edge, served, subject)).activities
            if action in [row.event.action for row in rows if row.producer == "audit"]:
                return
            await asyncio.sleep(0.1)


@pytest.mark.clause("P5")
async def test_killed_at_any_moment_it_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    async with stage(tmp_path) as mine:
        await mine.start()
        await _kill_and_compare(mine)
        assert await mine.stop() == 0


async def _kill_and_compare(served: Stage) -> None:
    subject, answered = IDS.new("usr"), list[event_pb2.Event]()
    async with served.channel("files") as files:
        producer = Producer(append_pb2_grpc.AppendServiceStub(files))

        async def produce() -> None:
            while True:
                made = [event(subject) for _ in range(20)]
                await producer.append(*made)
                answered.extend(made)

        heads = []
        for _ in range(3):
            work = asyncio.create_task(produce())
            await asyncio.sleep(0.7)
            async with served.channel("envoy") as edge:
                heads.append(await signed(edge, 0))
            await served.kill()
            with pytest.raises(grpc.aio.AioRpcError):
                await work
            await served.start()
            held = await producer.stub.GetHead(append_pb2.GetHeadRequest())
            assert held.highest_number >= producer.sent
            producer.sent = held.highest_number
    async with served.channel("envoy") as edge:
        head = await signed(edge, max(len(answered), heads[-1].size))
        hashes = await _leaves(edge, head.size)
        assert merkle.root(hashes) == head.root
        for old in heads:
            assert merkle.root(hashes[: old.size]) == old.root


async def _leaves(edge: grpc.aio.Channel, size: int) -> list[bytes]:
    stub = log_pb2_grpc.LogServiceStub(edge)
    hashes: list[bytes] = []
    while len(hashes) < size:
        width = min(256, size - len(hashes))
        name = f"{len(hashes) // 256:03d}" + ("" if width == 256 else f".p/{width}")
        tile = await stub.GetTile(log_pb2.GetTileRequest(path=f"0/{name}"))
        bundle = await stub.GetTile(log_pb2.GetTileRequest(path=f"entries/{name}"))
        found = split_hashes(tile.data)
        assert found == [merkle.leaf_hash(entry) for entry in split_entries(bundle.data)]
        hashes += found
    return hashes


async def test_only_tiles_of_the_signed_tree_are_served(served: Stage) -> None:
    async with served.channel("envoy") as edge:
        for path in ("0/000.p/255", "0/001", "0/../checkpoint", "entries/000.p/200", "1/000.p/2", "", "64/000"):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await log_pb2_grpc.LogServiceStub(edge).GetTile(log_pb2.GetTileRequest(path=path))
            assert reason(refused.value) == "NOT_FOUND"


async def test_bad_records_are_refused_whole(served: Stage) -> None:
    async with served.channel("billing") as billing:
        stub = append_pb2_grpc.AppendServiceStub(billing)
        good, bad = event(IDS.new("usr")), event("anna@example.com")
        epoch = IDS.new("epo")
        cases: list[tuple[str, dict[str, Any]]] = [
            ("AUDIT_EVENT_REFUSED", {"events": [good.SerializeToString(), bad.SerializeToString()]}),
            ("AUDIT_EVENT_REFUSED", {"events": [b"\xff"]}),
            ("AUDIT_GAP", {"first_number": 2}),
            ("AUDIT_EPOCH", {"predecessor": IDS.new("epo")}),
            ("INVALID_ARGUMENT", {"first_number": 0}),
            ("INVALID_ARGUMENT", {"epoch": "1"}),
            ("INVALID_ARGUMENT", {"events": []}),
            ("INVALID_ARGUMENT", {"events": [good.SerializeToString()] * 513}),
        ]
        for expected, changes in cases:
            values: dict[str, Any] = {"epoch": epoch, "first_number": 1, "events": [good.SerializeToString()]} | changes
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.Append(append_pb2.AppendRequest(**values))
            assert reason(refused.value) == expected
        head = await stub.GetHead(append_pb2.GetHeadRequest())
        assert head == append_pb2.GetHeadResponse()


async def test_a_producer_is_its_certificate(served: Stage) -> None:
    async with served.channel("shop") as shop:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await append_pb2_grpc.AppendServiceStub(shop).GetHead(append_pb2.GetHeadRequest())
        assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.clause("P5", "PCI DSS 10.7.2")
async def test_its_own_checks_are_in_the_log_and_kept_and_those_of_others_are_unknown(served: Stage) -> None:
    kept, unknown = practices_pb2.Practice.STATE_KEPT, practices_pb2.Practice.STATE_UNKNOWN
    async with served.channel("envoy") as edge, asyncio.timeout(60):
        stub = practices_pb2_grpc.PracticesServiceStub(edge)
        while True:
            reply = await stub.ListPractices(practices_pb2.ListPracticesRequest())
            checks = {check.check: check for practice in reply.practices for check in practice.checks}
            own = {name for name, check in checks.items() if name.startswith("audit.") and check.state != kept}
            if own == {"audit.reconciliation"} and checks["audit.reconciliation"].time.seconds:
                break  # no other service has said anything of its outbox
            await asyncio.sleep(0.2)
        assert checks["audit.reconciliation"].state == unknown
        assert {check.state for name, check in checks.items() if name.startswith("auth.")} == {unknown}
        assert [practice.promise for practice in reply.practices] == [f"P{number}" for number in range(1, 16)]
        assert reply.practices[0].state == practices_pb2.Practice.STATE_NO_CHECK
