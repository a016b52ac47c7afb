"""Legal holds by the command line, over mTLS: who may, what the customer sees, and what an erasure leaves."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import pytest_asyncio

from deploy.cli import audit
from tests.integration.audit_stage import IDS, Producer, Stage, event, stage
from tests.integration.test_audit_service import activity, reason
from valv.audit.v1 import append_pb2_grpc, event_pb2, hold_pb2, hold_pb2_grpc, log_pb2, log_pb2_grpc
from valv.auth.v1 import erasure_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with stage(tmp_path_factory.mktemp("audit")) as made:
        made.pki.operator("greta")
        await made.start()
        yield made


async def run(served: Stage, *words: str) -> int:
    own = served.pki.folder / "operator" / "greta.pem"
    where = ["--audit", f"127.0.0.1:{served.port}", "--bundle", str(served.pki.folder / "workload" / "ca.pem")]
    return await asyncio.to_thread(audit.main, [*words, "--certificate", str(own), *where])


def recorded(served: Stage, action: str) -> list[event_pb2.Event]:
    """What the service has recorded of itself."""
    with sqlite3.connect(served.folder / "audit.db") as database:
        events = [
            event_pb2.Event.FromString(row[0]) for row in database.execute("SELECT event FROM outbox ORDER BY id")
        ]
    return [event for event in events if event.action == action]


async def until(condition: Any) -> None:
    async with asyncio.timeout(20):
        while True:
            if condition():
                return
            await asyncio.sleep(0.1)


@pytest.mark.clause("P5", "PCI DSS 10.2.1.2")
async def test_a_hold_is_placed_listed_and_released_under_the_operators_name(
    served: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    anna = IDS.new("usr")
    assert await run(served, "hold", "place", anna, "--cause", "litigation") == 0
    line = capsys.readouterr().out
    hold = line.split()[0]
    assert f" {anna} litigation placed " in line
    assert line.endswith(" by greta\n")
    assert await run(served, "hold", "place", "--since", "2026-01-01T00:00:00Z", "--cause", "investigation") == 0
    time = capsys.readouterr().out.split()
    assert time[1:3] == ["2026-01-01T00:00:00+00:00..", "investigation"]
    assert await run(served, "hold", "list") == 0
    assert [shown.split()[0] for shown in capsys.readouterr().out.splitlines()] == [hold, time[0]]
    assert await run(served, "hold", "release", hold) == 0
    assert await run(served, "hold", "release", hold) == 1
    assert "HOLD_RELEASED" in capsys.readouterr().err
    assert await run(served, "hold", "release", time[0]) == 0
    assert await run(served, "hold", "list") == 0
    assert hold not in capsys.readouterr().out
    assert await run(served, "hold", "list", "--released") == 0
    assert hold in capsys.readouterr().out
    placed = recorded(served, "audit.hold.place")[0]
    assert (placed.actor.kind, placed.actor.id) == (event_pb2.Actor.KIND_OPERATOR, "greta")
    assert (placed.subject, placed.object.kind, placed.object.id) == (anna, "hold", hold)
    assert placed.details.cause == "litigation"


async def test_it_takes_an_operators_certificate(served: Stage) -> None:
    for role in ("gateway", "envoy", "auth"):
        async with served.channel(role) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await hold_pb2_grpc.HoldServiceStub(channel).ListHolds(hold_pb2.ListHoldsRequest())
            assert (refused.value.code(), reason(refused.value)) == (
                grpc.StatusCode.PERMISSION_DENIED,
                "PERMISSION_DENIED",
            )


@pytest.mark.clause("P5")
async def test_the_customer_sees_a_hold_unless_it_is_secret(served: Stage) -> None:
    anna = IDS.new("usr")
    assert await run(served, "hold", "place", anna, "--cause", "authority", "--secret") == 0
    assert await run(served, "hold", "place", anna, "--cause", "authority") == 0
    assert await run(served, "hold", "place", anna, "--cause", "litigation", "--secret") == 1
    async with served.channel("envoy") as edge, asyncio.timeout(10):
        while True:
            rows = [row for row in (await activity(edge, served, anna)).activities if _about_hold(row)]
            if rows:
                break
            await asyncio.sleep(0.1)
    (row,) = rows
    assert row.event.actor.id == "greta"
    secret = next(each for each in recorded(served, "audit.hold.place") if each.details.cause == "authority")
    assert secret.subject == ""


def _about_hold(row: Any) -> bool:
    return bool(row.event.action == "audit.hold.place" and row.event.outcome == event_pb2.OUTCOME_SUCCESS)


@pytest.mark.clause("P14")
async def test_an_order_to_erase_is_acknowledged_with_what_is_held(
    served: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    anna, bo = IDS.new("usr"), IDS.new("usr")
    async with served.channel("files") as files:
        producer = Producer(append_pb2_grpc.AppendServiceStub(files))
        await producer.append(event(anna), event(bo), event(bo))
    assert await run(served, "hold", "place", bo, "--cause", "investigation") == 0
    hold = capsys.readouterr().out.split()[0]
    for account in (anna, bo):
        served.auth.order(account)
    await until(lambda: len(served.auth.acknowledged) == 2)
    free, held = sorted(served.auth.acknowledged, key=lambda each: len(each.blocked))
    assert (free.account_id, list(free.blocked)) == (anna, [])
    assert held.account_id == bo
    (item,) = held.blocked
    assert (item.kind, item.cause) == ("event", erasure_pb2.BlockedItem.CAUSE_LEGAL_HOLD)
    assert item.count >= 2
    assert await run(served, "hold", "release", hold) == 0
    await until(lambda: [each for each in recorded(served, "audit.hold.clear") if each.object.id == hold])
    with sqlite3.connect(served.folder / "audit.db") as database:
        assert database.execute("SELECT count(*) FROM held_bodies").fetchone() == (0,)
        kept = database.execute("SELECT count(*) FROM security_records WHERE subject = ?", (bo,)).fetchone()
    assert kept[0] >= 2
    capsys.readouterr()
    assert await run(served, "remains", anna) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[-1]["event"]["action"] == "files.file.download"
    assert "origin" not in lines[-1]["event"]
    (read,) = recorded(served, "audit.remains.list")
    assert (read.subject, read.actor.id) == (anna, "greta")


@pytest.mark.clause("P5", "PCI DSS 10.5.1")
async def test_what_retention_would_do_is_told_and_the_first_sweep_is_recorded(
    served: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    await until(lambda: recorded(served, "audit.retention.sweep"))
    assert await run(served, "retention", "--dry-run") == 0
    told = capsys.readouterr().out
    assert "12 months, 3 of them at hand" in told
    assert "never" not in told
    assert "0 entries, 0 of them held" in told
    async with served.channel("envoy") as edge:
        reply = await log_pb2_grpc.LogServiceStub(edge).GetMinimumIndex(log_pb2.GetMinimumIndexRequest())
    assert reply.data == b"0\n"
