"""Owns the reading of time. Nothing else in Valv may ask the operating system what time it is."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where time comes from; tests give a fake one."""

    def now(self) -> datetime:
        """Return the wall clock as an aware UTC time."""
        ...

    def monotonic(self) -> float:
        """Return seconds on a clock that never steps; only differences mean anything."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        """Return the wall clock as an aware UTC time."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds on a clock that never steps."""
        return time.monotonic()


def milliseconds(time: datetime) -> int:
    """Return an aware time as whole milliseconds since 1970, the form in which it is stored."""
    return int(time.timestamp() * 1000)


def from_milliseconds(value: int) -> datetime:
    """Return the time that is stored as these milliseconds."""
    return datetime.fromtimestamp(value / 1000, UTC)
