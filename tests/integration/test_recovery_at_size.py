"""A running log that lost thousands of entries gets them all back, while its producers go on writing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.audit_stage import stage
from tests.integration.recovery_stage import lose_and_recover, producers

LOST = 6000
MOST_TIMES = 6
"""At most so many times as long as it had taken to write what was lost, on the same machine."""
MOST_MIB = 400


@pytest.mark.clause("P5")
async def test_what_was_lost_is_replayed_to_its_old_place_once_while_producers_write(tmp_path: Path) -> None:
    async with stage(tmp_path) as served:
        await served.start()
        async with producers(served) as made:
            found = await lose_and_recover(served, made, 900, LOST)
    assert found.lost >= LOST
    assert found.written_meanwhile > 0
    assert (found.missing, found.moved, found.twice, found.without_record) == (0, 0, 0, 0)
    assert found.sound
    assert found.seconds < MOST_TIMES * found.filled_seconds
    assert found.peak_mib < MOST_MIB
