"""What is served under /log is c2sp.org/tlog-tiles@v0.1.0, from a directory and from S3."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.client import Config as ClientConfig

from services.audit.handlers import LogHandlers
from services.audit.heads import CheckpointReader
from services.audit.merkle import leaf_hash, root
from services.audit.tile_s3 import S3Tiles
from services.audit.tiles import ENTRIES, tile_at
from services.kit.faults import Fault
from tests.unit.audit.world import World
from valv.audit.v1 import log_pb2

SIZES = (1, 5, 255, 256, 257, 511, 512, 700)


@pytest.fixture(params=["directory", "s3"])
async def log(request: pytest.FixtureRequest, world: World) -> AsyncIterator[World]:
    if request.param == "directory":
        yield world
        return
    endpoint = request.getfixturevalue("s3_endpoint")
    client = boto3.client(
        "s3",
        endpoint_url=endpoint.url,
        aws_access_key_id=endpoint.access_key,
        aws_secret_access_key=endpoint.secret_key,
        region_name=endpoint.region,
        config=ClientConfig(s3={"addressing_style": "path"}, max_pool_connections=8),
    )
    store = S3Tiles(client, endpoint.bucket, "log/")
    world.sequencer._tiles = store
    world.tiles = store  # type: ignore[assignment]  # another implementation of the port
    yield world
    await store.close()


async def get(handlers: LogHandlers, path: str) -> tuple[bytes, str, str]:
    """The body, content type and caching of a tile."""
    call: Any = SimpleNamespace(reply_metadata=[])
    body = await handlers.get_tile(log_pb2.GetTileRequest(path=path), call)
    return body.data, body.content_type, dict(call.reply_metadata)["cache-control"]


@pytest.mark.clause("P5")
async def test_every_tile_of_every_head_is_served_and_nothing_else(log: World) -> None:
    handlers = LogHandlers(
        CheckpointReader(log.checkpoints, log.clock),
        log.tiles,
        "",
        log.minimum(prune=False),
    )
    for size in SIZES:
        await log.fill(size - (await log.signed()).size)
        head = await log.sign()
        log.clock.advance(1)
        call: Any = SimpleNamespace(reply_metadata=[])
        note = await handlers.get_checkpoint(log_pb2.GetCheckpointRequest(), call)
        assert note.data.startswith(head.text.encode())
        assert note.content_type == "text/plain; charset=utf-8"
        assert call.reply_metadata == [("cache-control", "public, max-age=1")]
        hashes: list[bytes] = []
        for index in range(-(-size // 256)):
            tile = tile_at(0, index, size)
            data, kind, cached = await get(handlers, tile.path)
            assert kind == "application/octet-stream"
            assert ("immutable" in cached) is tile.full
            bundle, _, _ = await get(handlers, tile_at(ENTRIES, index, size).path)
            leaves = [bundle[at + 2 : at + 35] for at in range(0, len(bundle), 35)]
            assert b"".join(leaf_hash(leaf) for leaf in leaves) == data
            hashes += [data[at : at + 32] for at in range(0, len(data), 32)]
        assert root(hashes) == head.root
        if size >= 256:
            data, _, _ = await get(handlers, tile_at(1, 0, size).path)
            assert data == b"".join(root(hashes[at : at + 256]) for at in range(0, size - 255, 256))
        await _nothing_else(handlers, size)


async def _nothing_else(handlers: LogHandlers, size: int) -> None:
    last, width = divmod(size, 256)
    beyond = [
        f"0/{last + 1:03d}",
        f"0/{last:03d}",
        f"entries/{last:03d}",
        "2/000.p/1",
        "1/000",
        "0/000.p/0",
        "0/000.p/256",
    ]
    beyond += [f"{level}/{last:03d}.p/{width + 1}" for level in ("0", "entries") if width < 255]
    beyond += ["", "0", "0/0", "0/x000/000", "-1/000", "00/000", "0/000.p/01", "0/000/", "0/../checkpoint", "64/000"]
    for path in beyond:
        with pytest.raises(Fault, match="NOT_FOUND"):
            await get(handlers, path)


@pytest.mark.clause("P5")
async def test_partial_tiles_of_an_older_head_are_served_when_the_full_ones_have_replaced_them(log: World) -> None:
    await log.fill(200)
    await log.sign()
    await log.fill(400)
    await log.sign()
    log.clock.advance(1)
    handlers = LogHandlers(
        CheckpointReader(log.checkpoints, log.clock),
        log.tiles,
        "",
        log.minimum(prune=False),
    )
    whole, _, _ = await get(handlers, "0/000")
    bundle, _, _ = await get(handlers, "entries/000")
    assert (await get(handlers, "0/000.p/200"))[0] == whole[: 200 * 32]
    assert (await get(handlers, "entries/000.p/200"))[0] == bundle[: 200 * 35]
