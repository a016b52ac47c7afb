"""Other people's programs verify and witness the log: aics-tlog and aics-witness, in containers of their own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import docker
import pytest

from services.audit.handlers import LogHandlers
from services.audit.heads import CheckpointReader
from services.audit.note import signature_lines
from services.audit.witness import app
from services.audit.witness.config import WitnessConfig, WitnessesConfig
from services.kit.clock import SystemClock
from services.kit.telemetry import Log
from tests.support.clock import FakeClock
from tests.support.containers import LABELS, image
from tests.support.log_server import serve_log
from tests.support.servers import free_ports
from tests.unit.audit.world import ORIGIN, World, databases, make_world, migrate_all

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]
TAG = "valv-test/outsiders"
FOLDER = Path(__file__).parent / "outsiders"
Run = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def engine() -> Iterator[docker.DockerClient]:
    client = docker.from_env(timeout=300)
    client.images.build(path=str(FOLDER), buildargs={"PYTHON_IMAGE": image("python")}, tag=TAG, rm=True)
    yield client
    client.close()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A log at the time that is: outsiders look at their own clocks."""
    await asyncio.to_thread(migrate_all, databases(tmp_path))
    async with make_world(tmp_path, clock=FakeClock(SystemClock().now())) as made:
        yield made


def verifier(engine: docker.DockerClient, folder: Path, world: World) -> Run:
    """Returns how to run aics-tlog on this log."""

    def run(command: str, *arguments: str) -> dict[str, Any]:
        known = ["--log-key", world.signer.verifier.vkey, "--origin", ORIGIN]
        output = engine.containers.run(
            TAG,
            ["-m", "aics_tlog", command, *known, *arguments],
            network_mode="host",
            volumes={str(folder): {"bind": "/data", "mode": "ro"}},
            labels=LABELS,
            remove=True,
        )
        return dict(json.loads(output))

    return run


@pytest.mark.clause("P5")
@pytest.mark.parametrize("source", ["http", "directory"])
async def test_aics_tlog_verifies_the_log(engine: docker.DockerClient, world: World, source: str) -> None:
    run = verifier(engine, world.folder, world)
    await world.fill(300)
    await world.sign()
    stored = await world.checkpoints.load()
    assert stored is not None
    (world.folder / "old").write_bytes(stored.note)
    await world.fill(400)
    head = await world.sign()
    world.clock.advance(1)
    entry = (await world.records.entries(511, 1))[0]
    (world.folder / "entry").write_bytes(entry)
    (world.folder / "other").write_bytes(entry[:-1] + bytes([entry[-1] ^ 1]))
    async with serve_log(LogHandlers(world.heads, world.tiles, "", world.minimum(prune=False))) as prefix:
        tiles = ("--tiles", prefix if source == "http" else "/data/log")
        found = await asyncio.to_thread(run, "verify-checkpoint", *tiles)
        assert (found["ok"], found["size"]) == (True, head.size)
        for index, leaf, ok in ((511, "entry", True), (510, "entry", False), (511, "other", False)):
            arguments = (*tiles, "--index", str(index), "--leaf", f"/data/{leaf}")
            if ok:
                assert (await asyncio.to_thread(run, "verify-inclusion", *arguments))["ok"]
            else:
                with pytest.raises(docker.errors.ContainerError):
                    await asyncio.to_thread(run, "verify-inclusion", *arguments)
        grown = await asyncio.to_thread(run, "verify-consistency", *tiles, "--old-checkpoint", "/data/old")
        assert grown["ok"]


@asynccontextmanager
async def aics_witness(engine: docker.DockerClient, world: World) -> AsyncIterator[WitnessConfig]:
    """Serve aics-witness on loopback; gives how to ask it."""
    (port,) = free_ports(1)
    script = (
        "set -e; cd /tmp; w='/venv/bin/python -m aics_witness'; $w init --name witness.example/w1;"
        f" $w add-log --origin {ORIGIN} --vkey '{world.signer.verifier.vkey}';"
        f" exec $w serve --listen 127.0.0.1:{port}"
    )
    options: dict[str, Any] = {"network_mode": "host", "labels": LABELS, "entrypoint": ["sh", "-c"]}
    container = await asyncio.to_thread(lambda: engine.containers.run(TAG, [script], detach=True, **options))
    try:
        async with asyncio.timeout(60):
            while not (vkey := _vkey(container.logs().decode())) or not await _listens(port):  # noqa: ASYNC110 - not ours
                await asyncio.sleep(0.2)
        url = f"http://127.0.0.1:{port}"
        yield WitnessConfig("aics", vkey, url, monitor_url=url, timeout=5.0)
    finally:
        await asyncio.to_thread(container.remove, force=True)


def _vkey(output: str) -> str:
    words = [word.strip("\",'") for word in output.split()]
    return next((word for word in words if word.startswith("witness.example/w1+")), "")


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


@pytest.mark.clause("P5")
async def test_aics_witness_cosigns_the_log_and_aics_tlog_counts_it(engine: docker.DockerClient, world: World) -> None:
    async with aics_witness(engine, world) as config:
        made = app.build(WitnessesConfig((config,), 1), world.checkpoints, world.tiles, world.signer.verifier)
        world.sequencer._outside = made.outside()
        publisher = made.publisher(world.journal, world.clock, Log("test"), lambda: True)
        heads = CheckpointReader(world.checkpoints, world.clock, witnessed=True)
        try:
            for count in (3, 1, 300):
                await world.fill(count)
                head = await world.sign()
                await publisher.step()
                world.clock.advance(1)
                served = await heads.latest()
                assert served is not None
                assert served[1] == head
                names = [name for _, name, _ in signature_lines(served[0][len(head.text.encode()) + 1 :])]
                assert names == [ORIGIN, "witness.example/w1"]
            await _remembered(world, made)
        finally:
            await made.close()
        run = verifier(engine, world.folder, world)
        required = ("--witness-key", config.vkey, "--quorum", "1")
        assert (await asyncio.to_thread(run, "verify-checkpoint", "--tiles", "/data/log", *required))["ok"]


async def _remembered(world: World, made: app.Witnesses) -> None:
    """The witness says what it has seen last, to whoever has forgotten it."""
    stored = await world.checkpoints.load()
    assert stored is not None
    note = await made.clients[0].latest(ORIGIN)
    assert note is not None
    assert note.startswith(stored.note)
    head = await world.signed()
    assert await made.outside().beyond(stored.note, head) is None
