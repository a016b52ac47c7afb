"""A log per test."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.audit.world import World, databases, make_world, migrate_all


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with empty, migrated databases."""
    folder = tmp_path_factory.mktemp("audit")
    migrate_all(databases(folder))
    return folder


@pytest.fixture
def home(migrated: Path, tmp_path: Path) -> Path:
    """A folder with databases of this test's own."""
    return shutil.copytree(migrated, tmp_path / "audit")


@pytest.fixture
async def world(home: Path) -> AsyncIterator[World]:
    """A log over SQLite and a directory."""
    async with make_world(home) as made:
        yield made
