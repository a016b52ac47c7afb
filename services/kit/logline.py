"""Owns the form of a log line: what it may carry and how it is printed. Must never print what an exception says.

What an exception says and what a library interpolates can hold secrets: an exception is printed as its type and where
it was raised, a library's line as its place and, where it has one, its template.
"""

from __future__ import annotations

import json
import logging
import traceback
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TextIO

from services.kit import context

FIELDS = frozenset(
    (
        *("action", "address", "attempt", "bytes", "caller", "check", "code", "count", "delay", "device", "epoch"),
        *("error", "expires", "field", "generation", "grace", "kind", "listen", "method", "milliseconds", "node"),
        *("number", "object", "outcome", "peer", "port", "producer", "profile", "reason", "resource", "retry_after"),
        *("revision", "role", "route", "seconds", "sequence", "service", "size", "state", "status", "subject"),
        *("type", "url", "version"),
    )
)
"""Names a log line may carry. A value is a number, a truth value, a time or at most 200 printable characters."""

LONGEST = 200
LINES_KEPT = 5000
_MOST_CAUSES = 8
_MOST_FRAMES = 12


class JSONFormatter(logging.Formatter):
    """One JSON object a line."""

    def __init__(self, role: str, trace_id: Callable[[], str]) -> None:
        """Take the process's role and where the current trace's id comes from."""
        super().__init__()
        self._role = role
        self._trace_id = trace_id

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "role": self._role,
            "logger": record.name,
            "request_id": context.request_id.get(),
            "trace_id": self._trace_id(),
        }
        fields = getattr(record, "valv_fields", None)
        if isinstance(fields, dict):
            line |= {"event": record.msg, **fields}
        else:  # a library's: without arguments its message may be interpolated already
            line |= {"event": "library", "place": f"{record.module}:{record.lineno}"}
            if record.args and isinstance(record.msg, str):
                line["template"] = record.msg[:LONGEST]
        if record.exc_info:
            line["exception"] = described(record.exc_info[1], record.exc_info[2])
        return json.dumps({name: value for name, value in line.items() if value != ""})


class RecentLines:
    """The last lines this process wrote, until the live checks have searched them."""

    def __init__(self) -> None:
        """Begin with none."""
        self._lines: deque[str] = deque(maxlen=LINES_KEPT)

    def add(self, line: str) -> None:
        """Keep a line."""
        self._lines.append(line)

    def take(self) -> list[str]:
        """Return the lines, and forget them."""
        return [self._lines.popleft() for _ in range(len(self._lines))]


class KeepingHandler(logging.StreamHandler[TextIO]):
    """Writes lines, and keeps the last ones."""

    def __init__(self, stream: TextIO, recent: RecentLines) -> None:
        """Take where lines go, and where they are kept."""
        super().__init__(stream)
        self._recent = recent

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = super().format(record)
        self._recent.add(line)
        return line


def described(error: BaseException | None, trace: TracebackType | None) -> list[dict[str, object]]:
    """Return the types and places of an exception and its causes, without any message."""
    chain: list[dict[str, object]] = []
    while error is not None and len(chain) < _MOST_CAUSES:
        frames = traceback.extract_tb(trace or error.__traceback__, limit=-_MOST_FRAMES)
        places = [f"{Path(frame.filename).name}:{frame.lineno}:{frame.name}" for frame in frames]
        chain.append({"type": f"{type(error).__module__}.{type(error).__qualname__}", "places": places})
        error, trace = error.__cause__ or error.__context__, None
    return chain


def checked(names: frozenset[str], name: str, value: object) -> str | int | float | bool | None:
    """Return a field's value as a line may carry it.

    Raises:
        ValueError: The name is not on the list, or the value is not a scalar, or it is long or unprintable text.
    """
    if name in names:
        if isinstance(value, datetime):
            return value.astimezone(UTC).isoformat()
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, str) and len(value) <= LONGEST and value.isprintable():
            return str(value)
    raise ValueError("a field is on the list, and a scalar")
