"""Owns the putting together of erasures for ``app.py``: what serves, what runs beside it, what comes with mails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.auth.erasures.eraser import Eraser
from services.auth.erasures.erasure import Erasures
from services.auth.erasures.feed import ErasureFeed

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from services.auth.erasures.eraser import Ties
    from services.auth.erasures.erasure import ErasureConfig
    from services.auth.revocations import Broadcaster
    from services.auth.sessions import Sessions
    from services.auth.store import Units
    from services.kit.main import Runtime


@dataclass(frozen=True)
class Leaving:
    """All that erasures need."""

    erasures: Erasures
    eraser: Eraser
    feed: ErasureFeed

    @property
    def tasks(self) -> tuple[Callable[[], Coroutine[Any, Any, None]], ...]:
        """What runs for ever."""
        return self.feed.run, self.eraser.run


def leaving(
    config: ErasureConfig,
    runtime: Runtime,
    units: Units,
    ties: Ties,
    sessions: Sessions,
    broadcaster: Broadcaster,
) -> Leaving:
    """Put erasures together."""

    def away() -> None:
        runtime.log.warning("erasures cannot be carried out")

    clock, ids = runtime.clock, runtime.ids
    return Leaving(
        Erasures(config, clock, ids),
        Eraser(units, ties, sessions, broadcaster, config, clock, ids, away),
        ErasureFeed(units),
    )
