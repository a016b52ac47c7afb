"""Gives each test somebody with an account."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.auth.factors.member import Member, member
from tests.unit.auth.world import world_in


@pytest.fixture
async def anna(tmp_path: Path) -> AsyncIterator[Member]:
    """Anna, in a world of her own."""
    async with world_in(tmp_path) as world:
        yield await member(world)
