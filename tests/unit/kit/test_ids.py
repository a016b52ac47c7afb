"""Ids are typed, time-ordered, and never look like numbers."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.kit.ids import Ids, check, is_id
from tests.support.clock import FakeClock


def test_ids_sort_by_time() -> None:
    clock = FakeClock()
    ids = Ids(clock)
    made = []
    for _ in range(50):
        made.append(ids.new("fil"))
        clock.advance(timedelta(milliseconds=1).total_seconds())
    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_an_id_is_checked_by_prefix_and_form() -> None:
    made = Ids(FakeClock()).new("usr")
    assert check("usr", made) == made
    assert is_id(made)
    for wrong in (
        "",
        "usr_",
        made + "0",
        made.upper(),
        made.replace("usr", "ses"),
        made[:-1] + "u",
        "4242424242424242",
    ):
        with pytest.raises(ValueError, match="not an id"):
            check("usr", wrong)
