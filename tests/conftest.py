"""Owns what every test gets: real servers on request, the clauses it proves, and no sockets in unit tests."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

pytest_plugins = ["tests.support.backends", "tests.support.clauses", "tests.support.reporting", "tests.support.sharing"]

UNIT = Path(__file__).parent / "unit"
# The same examples at each run: a build breaks by a change, not by chance. HYPOTHESIS_PROFILE=search finds new ones.
hypothesis.settings.register_profile("same", derandomize=True, deadline=None, database=None)
hypothesis.settings.register_profile("search", max_examples=1000, deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))
_guard = {"on": False}


def _refuse_sockets(event: str, args: tuple[object, ...]) -> None:
    """Refuses to connect or bind an internet socket while a unit test runs. (An audit hook cannot be removed.)"""
    if _guard["on"] and event in {"socket.connect", "socket.bind"}:
        one = args[0]
        if isinstance(one, socket.socket) and one.family != socket.AF_UNIX:
            raise RuntimeError(f"{event} {args[1]}: unit tests open no sockets; this belongs in tests/integration")


sys.addaudithook(_refuse_sockets)


@pytest.fixture(autouse=True)
def _socketless(request: pytest.FixtureRequest) -> Iterator[None]:
    """Turns the refusal on for tests/unit."""
    _guard["on"] = request.path.is_relative_to(UNIT)
    yield
    _guard["on"] = False
