"""The power goes at any step: nothing acknowledged is lost, nothing that was not is left for long."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from services.files.blobs_directory import DirectoryBlobs
from services.files.cobblestone import Octets
from services.kit.db import Database
from services.kit.faults import Fault
from tests.unit.files.house import ANNA, House


class PowerCutError(BaseException):
    """The machine is gone."""


class Power:
    """Goes at a given step, and stays away."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def step(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise PowerCutError


class FragileBlobs(DirectoryBlobs):
    def __init__(self, root: Path, power: Power) -> None:
        super().__init__(root)
        self._power = power

    def create(self, name: str, length: int) -> FragileWriter:  # type: ignore[override]  # the writer that breaks is another class
        self._power.step()
        return FragileWriter(super().create(name, length), self._power)

    def delete(self, name: str) -> None:
        self._power.step()
        super().delete(name)
        self._power.step()


class FragileWriter:
    def __init__(self, inner: object, power: Power) -> None:
        self._inner, self._power = inner, power

    def write(self, data: Octets) -> None:
        self._power.step()
        self._inner.write(data)  # type: ignore[attr-defined]  # the concrete object has it

    def commit(self) -> None:
        self._power.step()
        self._inner.commit()  # type: ignore[attr-defined]  # the concrete object has it
        self._power.step()

    def discard(self) -> None:
        if self._power.left >= 0:
            self._inner.discard()  # type: ignore[attr-defined]  # the concrete object has it


def fragile(database: Database, power: Power) -> None:
    """Let the power go before, inside and after each write transaction."""
    whole = database.write

    @asynccontextmanager
    async def write() -> AsyncIterator[AsyncConnection]:
        power.step()
        async with whole() as connection:
            yield connection
            power.step()
        power.step()

    database.write = write  # type: ignore[method-assign]  # the test puts its own in its place


async def live(house: House, old: str, data: bytes) -> tuple[str | None, bool]:
    """Upload a file and delete another; return what was acknowledged."""
    new, deleted = None, False
    try:
        new = await house.put(ANNA, data)
        await house.remove(ANNA, old)
        deleted = True
    except PowerCutError:
        pass
    return new, deleted


async def exists(house: House, file: str) -> bool:
    try:
        await house.file(ANNA, file)
    except Fault:
        return False
    return True


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_the_power_may_go_at_any_step(tmp_path: Path) -> None:
    data = secrets.token_bytes(2_500_000)
    for steps in itertools.count():
        folder = tmp_path / str(steps)
        folder.mkdir()
        before = await House(folder).open()
        old = await before.put(ANNA, data)
        power = Power(steps)
        before.blobs = FragileBlobs(folder / "blobs", power)
        fragile(before.database, power)
        fragile(before.keys_database, power)
        before.assemble()
        new, deleted = await live(before, old, data)
        await before.close()

        after = House(folder)
        after.clock.advance(1000)
        await after.reconciler.tidy()

        files = [row[0] for row in await after.rows("files")]
        if new is not None:
            assert new in files
        assert deleted is False or old not in files
        for file in files:
            assert await after.read(ANNA, str(file)) == data
        assert {row[0] for row in await after.rows("file_keys")} == set(files)
        assert {path.name for path in after.stored()} == {row[0] for row in await after.rows("blobs")}
        assert len(after.stored()) == len(files)
        assert await after.usage(ANNA) == (len(files) * len(data), 0, len(files))
        assert await after.rows("uploads") == await after.rows("shreds") == []
        await after.close()
        if power.left > 0:
            assert steps > 20
            break
