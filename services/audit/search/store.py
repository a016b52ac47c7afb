"""What the index is asked and what it answers.

Owns the value types between the search and its store. Holds no logic and no SQL.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.audit.store import Kept


@dataclass(frozen=True, slots=True)
class Position:
    """The last entry that a page looked at."""

    time_ms: int
    index: int


@dataclass(frozen=True, slots=True)
class Span:
    """A span of time: not before `since`, before `until`, and older than what pages before have looked at."""

    since: datetime | None
    until: datetime | None
    before: Position | None


@dataclass(frozen=True, slots=True)
class Found:
    """Records whose tags are those that were wanted, newest first, and where to go on; None at the end."""

    kept: Sequence[Kept]
    resume: Position | None


@dataclass(frozen=True, slots=True)
class Count:
    """At least so many; exactly, if all were counted."""

    at_least: int
    exact: bool


@dataclass(frozen=True, slots=True)
class State:
    """The version of the index, up to where every entry has a line, and the number of entries."""

    version: int
    filled: int
    size: int
