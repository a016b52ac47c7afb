"""What the edge says about itself: a log without paths, one trace from Envoy on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.integration.edge_stage import Stage


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
