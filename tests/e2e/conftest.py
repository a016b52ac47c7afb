"""One running Valv for all the walks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.live import Live


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """The whole of Valv, shared: tests that stop a process start it again."""
    made = Live(tmp_path_factory.mktemp("valv"))
    try:
        made.start()
        yield made
    finally:
        made.close()
