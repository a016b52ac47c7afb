"""Two processes sign one log, and one of them is stopped in the worst moment: there is never a second tree."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from services.audit.merkle import check_consistency
from services.audit.sql_lease import SqlLease
from services.audit.tree import TreeReader
from services.kit.db import DatabaseConfig
from tests.contract.conftest import postgres_stores
from tests.unit.audit.world import World, databases, make_world, migrate_all

__all__ = ["postgres_stores"]


class Signer:
    """A signing process and what it said."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.said: list[list[str]] = []
        self.reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.said.append(line.decode().split())

    async def says(self, word: str, times: int = 1) -> None:
        """Wait until it has said it so often."""
        async with asyncio.timeout(60):
            while sum(line[0] == word for line in self.said) < times:
                assert self.process.returncode is None
                await asyncio.sleep(0.05)

    @property
    def signed(self) -> list[tuple[int, str]]:
        """The size and root of each head that it stored."""
        return [(int(line[1]), line[2]) for line in self.said if line[0] == "signed"]


@asynccontextmanager
async def signer(folder: Path, urls: list[str], *arguments: str) -> AsyncIterator[Signer]:
    """Run a signing process; it is killed at the end."""
    command = [sys.executable, "-m", "tests.integration.signing_process", str(folder), *urls, *arguments]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    made = Signer(process)
    try:
        await made.says("ready")
        yield made
    finally:
        process.kill()
        await process.wait()
        await made.reader


@pytest.fixture(params=["sqlite", "postgresql"])
async def stores(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, DatabaseConfig]:
    made = databases(tmp_path) if request.param == "sqlite" else request.getfixturevalue("postgres_stores")
    await asyncio.to_thread(migrate_all, made)
    return dict(made)


@pytest.mark.clause("P5")
async def test_a_signer_that_was_stopped_before_its_signature_cannot_give_it_later(
    tmp_path: Path, stores: dict[str, DatabaseConfig]
) -> None:
    urls = [config.url for config in stores.values()]
    async with make_world(tmp_path, stores) as world:
        await world.fill(5)
        await world.sign()
        await world.lease.release()
        world.sequencer._sound = True  # it only takes records in from now on
        await world.fill(3)
        async with signer(tmp_path, urls, "stop") as stopped:
            await stopped.says("stopping")  # holds the lease, has made its tiles, is about to store its head
            await world.fill(4)
            async with signer(tmp_path, urls) as other:
                await asyncio.sleep(SqlLease.SECONDS)
                await _signed(world, 12)
                for _ in range(3):
                    await world.fill(2)
                    stopped.process.send_signal(signal.SIGCONT)
                    await asyncio.sleep(0.2)
                await stopped.says("failed")
                await _signed(world, 18)
                _require_one_tree(stopped.signed + other.signed)
                assert ["failed", "ConflictError"] in stopped.said
                assert not [head for head in stopped.signed if head[0] > 5 and head not in other.signed]
        await _require_history(world, other.signed)


@pytest.mark.clause("P5")
async def test_signers_that_are_stopped_and_woken_at_random_never_make_two_trees(
    tmp_path: Path, stores: dict[str, DatabaseConfig]
) -> None:
    urls = [config.url for config in stores.values()]
    async with make_world(tmp_path, stores) as world:
        await world.lease.release()
        async with signer(tmp_path, urls) as one, signer(tmp_path, urls) as two:
            for round_ in range(6):
                asleep = (one, two)[round_ % 2].process
                asleep.send_signal(signal.SIGSTOP)
                await world.fill(3)
                await asyncio.sleep(SqlLease.SECONDS + 0.5 if round_ % 3 else 0.3)
                await world.fill(2)
                asleep.send_signal(signal.SIGCONT)
                await asyncio.sleep(0.2)
            await _signed(world, 30)
            _require_one_tree(one.signed + two.signed)
            assert one.signed
            assert two.signed
        await _require_history(world, one.signed + two.signed)


async def _signed(world: World, size: int) -> None:
    async with asyncio.timeout(60):
        while (await world.signed()).size < size:  # noqa: ASYNC110 - another process signs
            await asyncio.sleep(0.1)


def _require_one_tree(heads: list[tuple[int, str]]) -> None:
    roots: dict[int, str] = {}
    for size, root in heads:
        assert roots.setdefault(size, root) == root, "two checkpoints of one size with different roots"


async def _require_history(world: World, heads: list[tuple[int, str]]) -> None:
    last = await world.signed()
    for size, root in heads:
        proof = await TreeReader(world.tiles, last.size).consistency(size)
        check_consistency(size, last.size, proof, bytes.fromhex(root), last.root)
