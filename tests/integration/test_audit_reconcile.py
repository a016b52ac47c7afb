"""The reconciliation by the command line, over mTLS: what it tells, how it ends, and what is recorded of it."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import AsyncExitStack
from hashlib import sha256
from pathlib import Path

import pytest

from deploy.cli import audit
from tests.integration.audit_stage import IDS, Producer, Stage, event, stage
from valv.audit.v1 import append_pb2_grpc, event_pb2

CHECK = "audit.reconciliation"


def recorded(served: Stage, action: str) -> list[event_pb2.Event]:
    """What the service has recorded of itself."""
    with sqlite3.connect(served.folder / "audit.db") as database:
        rows = database.execute("SELECT event FROM outbox ORDER BY id").fetchall()
    events = [event_pb2.Event.FromString(data) for (data,) in rows]
    return [event for event in events if event.action == action]


async def say(role: str, producer: Producer) -> None:
    """Send a record, and what a service says of that."""
    sent = event(IDS.new("usr"))
    await producer.append(sent)
    said = event("", "practice.statement")
    said.actor.kind, said.actor.id = event_pb2.Actor.KIND_SERVICE, role
    said.ClearField("origin")
    said.object.kind, said.object.id = "epoch", producer.epoch
    said.details.count, said.details.number = 1, 1
    said.details.digest = sha256(sent.event_id.encode()).hexdigest()
    await producer.append(said)


@pytest.mark.clause("P5", "PCI DSS 10.3.4", "PCI DSS 10.2.1.2")
async def test_an_operator_compares_outboxes_with_the_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with stage(tmp_path) as log, AsyncExitStack() as stack:
        log.pki.operator("greta")
        await log.start()

        async def reconcile() -> tuple[int, list[str]]:
            own = log.pki.folder / "operator" / "greta.pem"
            where = ["--audit", f"127.0.0.1:{log.port}", "--bundle", str(log.pki.folder / "workload" / "ca.pem")]
            code = await asyncio.to_thread(audit.main, ["reconcile", "--certificate", str(own), *where])
            return code, capsys.readouterr().out.splitlines()

        async with asyncio.timeout(60):
            while not recorded(log, "practice.statement"):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.2)
        code, lines = await reconcile()
        assert code == 1
        assert "billing  not known: the service has said nothing yet" in lines
        producers = {}
        for role in ("auth", "billing", "files"):
            channel = await stack.enter_async_context(log.channel(role))
            producers[role] = Producer(append_pb2_grpc.AppendServiceStub(channel))
            await say(role, producers[role])
        async with asyncio.timeout(20):
            while (answer := await reconcile())[0] != 0:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.2)
        assert [line.split()[0] for line in answer[1]] == ["audit", "auth", "billing", "files"]
        (told,) = [line for line in answer[1] if line.startswith("billing")]
        assert f"{producers['billing'].epoch}: sent 1 up to number 1, said 20" in told
        assert told.endswith("the log holds 1: agrees")

        _remove_one(log.folder / "audit.db", producers["billing"].epoch)
        code, lines = await reconcile()
        assert code == 1
        assert [line.rpartition(": ")[2] for line in lines] == ["agrees", "agrees", "DIFFERS", "agrees"]

        used = recorded(log, "audit.reconciliation.run")
        assert {(each.actor.kind, each.actor.id) for each in used} == {(event_pb2.Actor.KIND_OPERATOR, "greta")}
        assert used[-1].details.state == "broken"
        results = [each for each in recorded(log, "practice.check") if each.object.id == CHECK]
        assert (results[-1].details.state, results[-1].details.count) == ("broken", 1)


def _remove_one(path: Path, epoch: str) -> None:
    with sqlite3.connect(path, timeout=10) as database:
        mine = "epoch_id = (SELECT id FROM epochs WHERE epoch = ?)"
        assert database.execute(f"DELETE FROM entries WHERE number = 1 AND {mine}", (epoch,)).rowcount == 1  # noqa: S608 - the test's own words
