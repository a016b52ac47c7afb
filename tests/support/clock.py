"""A clock that stands still until told to move."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)


class FakeClock:
    """Wall and monotonic time that move together by ``advance``; ``set`` steps the wall alone, as an operator may."""

    def __init__(self, start: datetime = START) -> None:
        self._now = start
        self._monotonic = 1000.0

    def now(self) -> datetime:
        """Return the fake wall clock."""
        return self._now

    def monotonic(self) -> float:
        """Return the fake monotonic clock, in seconds."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds

    def set(self, now: datetime) -> None:
        """Step the wall clock; the monotonic one does not see it."""
        self._now = now
