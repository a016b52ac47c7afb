"""What the edge says about itself: a log without paths, one trace from Envoy on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from tests.integration.edge_stage import Stage

UNRECORDED = "gateway.unrecorded_requests"


@pytest_asyncio.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    stage = Stage(tmp_path)
    try:
        await stage.start()
        yield stage
    finally:
        await stage.stop()


@pytest.mark.clause("P6")
async def test_the_access_log_holds_templates_and_no_paths(stage: Stage) -> None:
    async with stage.client() as client:
        await client.get("/v1/files/fil_in_the_log/content?secret=query", headers={"valv-session": "x"})
    log = stage.folder / "access.log"
    for _ in range(120):
        if log.exists() and "GET /v1/files/{file}/content" in log.read_text():
            break
        await asyncio.sleep(0.1)
    text = log.read_text()
    assert "GET /v1/files/{file}/content" in text
    assert "fil_in_the_log" not in text
    assert "secret" not in text


@pytest.mark.clause("P5", "PCI DSS 10.3.4")
async def test_a_request_that_a_service_answered_and_did_not_record_is_found(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.rates += "[checks]\nat_least_every_seconds = 1\n"
    try:
        await stage.start()
        stage.auth.open("tok")
        async with stage.client(headers={"valv-session": "tok"}) as client:
            answers = [
                await client.post("/v1/session:extend", json={}),
                await client.get("/v1/files"),
                await client.get("/v1/files/fil_x/content"),
                await client.post("/v1/files:upload", params={"displayName": "x"}, content=b"x"),
            ]
            left_out = [
                await client.get("/v1/practices"),  # recorded by nobody
                await client.get("/v1/files/fil_x"),  # refused by the service
                await client.get("/v1/files", headers={"valv-session": "none"}),  # refused by the edge
                await client.get("/"),
            ]
        assert [answer.status_code // 100 for answer in (*answers, *left_out)] == [2, 2, 2, 2, 2, 4, 4, 2]
        wanted = {answer.headers["x-request-id"] for answer in answers}
        await _until(lambda: wanted <= stage.audit.asked)
        assert stage.audit.asked == wanted
        await _until(lambda: UNRECORDED in stage.audit.found)
        assert stage.audit.found[UNRECORDED].state == "kept"
        stage.audit.holds_requests = False
        async with stage.client(headers={"valv-session": "tok"}) as client:
            await client.get("/v1/files")
        await _until(lambda: stage.audit.found[UNRECORDED].state == "broken")
        assert stage.audit.found[UNRECORDED].count == 1
        stage.audit.holds_requests = True
        await _until(lambda: stage.audit.found[UNRECORDED].state == "kept")
    finally:
        await stage.stop()


async def _until(holds: Callable[[], bool]) -> None:
    for _ in range(600):
        if holds():
            return
        await asyncio.sleep(0.1)
    raise AssertionError("it did not happen in time")


async def test_one_trace_leads_from_envoy_through_the_gateway_to_auth(stage: Stage) -> None:
    stage.auth.open("tok-trace")
    async with stage.client() as client:
        await client.post("/v1/session:extend", json={}, headers={"valv-session": "tok-trace"})
    trace = stage.auth.seen[-1].metadata["traceparent"].split("-")[1]
    wanted = {("envoy", "POST /v1/session:extend"), ("gateway", "/envoy.service.auth.v3.Authorization/Check")}
    for _ in range(120):
        lines = [json.loads(line) for line in (stage.folder / "spans.jsonl").read_text().splitlines()]
        found = {(line["service"], line["name"]) for line in lines if line["trace"] == trace}
        if wanted <= found:
            break
        await asyncio.sleep(0.1)
    assert wanted <= found
