"""The export to a real collector over HTTPS: whatever it does, and whenever audit dies, no index is ever missing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.audit.siem.https import HttpsSink
from services.audit.siem.store import Batch, SinkError
from services.kit.secret import Secret
from tests.integration.audit_stage import IDS, Producer, Stage, event, stage
from tests.integration.collector import Collector
from tests.unit.audit.test_ocsf import judged
from valv.audit.v1 import append_pb2_grpc

TOKEN = "collector-4f1c9a7e5b"
BATCH = Batch(0, 0, b'{"class_uid":1008}\n' * 4096, 0)


@pytest.fixture
async def collector(tmp_path: Path) -> AsyncIterator[Collector]:
    async with Collector(tmp_path / "collector").running() as made:
        yield made


async def refusal(collector: Collector, seconds: float = 10, ca_file: Path | None = None) -> SinkError:
    """Returns how a sink ends that must end with an error."""
    sink = HttpsSink(collector.url, ca_file or collector.ca_file, Secret(TOKEN), seconds)
    began = time.monotonic()
    try:
        with pytest.raises(SinkError) as refused:
            await sink.send(BATCH)
    finally:
        await sink.close()
    assert time.monotonic() - began < 5
    assert TOKEN not in repr(refused.value)
    assert refused.value.__cause__ is refused.value.__context__ is None, "what was caught holds the request"
    return refused.value


async def test_a_collector_gets_lines_of_json_with_its_token(collector: Collector) -> None:
    sink = HttpsSink(collector.url, collector.ca_file, Secret(TOKEN), 10)
    await sink.send(BATCH)
    await sink.send(BATCH)
    await sink.close()
    assert collector.taken == [BATCH.lines] * 2
    assert collector.seen == [("/events", f"Bearer {TOKEN}", "application/x-ndjson")] * 2


@pytest.mark.parametrize("mood, status", [("fail", 500), ("redirect", 307)])
async def test_what_is_not_2xx_is_no_receipt_and_is_not_followed(collector: Collector, mood: str, status: int) -> None:
    collector.mood = mood
    error = await refusal(collector)
    assert (error.reason, error.status) == ("REFUSED", status)
    assert [path for path, _, _ in collector.seen] == ["/events"]


@pytest.mark.parametrize("mood, reason", [("hold", "LATE"), ("drip", "LATE"), ("die", "AWAY")])
async def test_a_collector_that_does_not_answer_is_not_waited_for(collector: Collector, mood: str, reason: str) -> None:
    collector.mood = mood
    assert (await refusal(collector, 1.0)).reason == reason


async def test_of_a_long_answer_only_the_status_counts(collector: Collector) -> None:
    collector.mood = "flood"
    sink = HttpsSink(collector.url, collector.ca_file, None, 10)
    await sink.send(BATCH)
    await sink.close()
    assert collector.taken == [BATCH.lines]


@pytest.mark.clause("P5")
async def test_a_collector_with_another_certificate_gets_nothing(collector: Collector, tmp_path: Path) -> None:
    other = Collector(tmp_path / "other")
    assert (await refusal(collector, ca_file=other.ca_file)).reason == "UNTRUSTED"
    assert collector.seen == []


async def test_the_environment_has_no_say_in_the_way(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    sink = HttpsSink(collector.url, collector.ca_file, None, 10)
    await sink.send(BATCH)
    await sink.close()
    assert collector.taken == [BATCH.lines]


async def produce(made: Stage, producer: Producer, count: int) -> None:
    async with made.channel("files") as channel:
        producer.stub = append_pb2_grpc.AppendServiceStub(channel)
        await producer.append(*(event(IDS.new("usr")) for _ in range(count)))


async def until(collector: Collector, count: int) -> None:
    """Waits until so many different indexes have arrived."""
    async with asyncio.timeout(40):
        while len(set(collector.indexes)) < count:  # noqa: ASYNC110 - the collector is real, and tells nobody
            await asyncio.sleep(0.1)


@pytest.mark.clause("PCI DSS 10.3.3", "ASVS 16.2.5", "P5")
async def test_audit_killed_between_send_and_cursor_repeats_and_never_skips(
    tmp_path: Path, collector: Collector
) -> None:
    token, files, home = tmp_path / "token", tmp_path / "siem", tmp_path / "stage"
    home.mkdir()
    token.write_text(TOKEN + "\n", "utf-8")
    async with stage(home) as made:
        made.extra = f"""
[siem]
url = "{collector.url}"
ca_file = "{collector.ca_file}"
token_file = "{token}"
batch = 40
timeout_seconds = 5
directory = "{files}"
"""
        collector.mood = "fail"
        await made.start()
        producer = Producer(None)
        await produce(made, producer, 100)
        collector.mood = "take"
        await until(collector, 100)
        collector.mood = "hold"
        await produce(made, producer, 100)
        await asyncio.wait_for(collector.held.wait(), 20)
        await made.kill()
        collector.mood = "die"
        await made.start()
        await produce(made, producer, 50)
        await asyncio.sleep(2)
        collector.mood = "take"
        await until(collector, 250)
        collector.mood = "hold"
        collector.held.clear()
        await produce(made, producer, 1)
        await asyncio.wait_for(collector.held.wait(), 20)
        assert await made.stop() == 0, "a request that hangs does not keep the process"
    found = collector.indexes
    assert sorted(set(found)) == list(range(max(found) + 1)), "a gap"
    assert len(found) > len(set(found)), "what was under way when audit died was sent again"
    for record in collector.records[:: max(1, len(collector.records) // 25)]:
        judged(record)
    written = b"".join(path.read_bytes() for path in sorted(files.glob("*.jsonl")))
    assert written.endswith(b"\n")
    assert written.count(b'"record":"event"') >= 250
    for path in home.rglob("*"):
        if path.is_file() and path.suffix != ".toml":
            assert TOKEN.encode() not in path.read_bytes(), path
