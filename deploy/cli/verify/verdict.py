"""Verdicts: one clear line for each thing that was checked, or one JSON object a line.

Owns their words' form and the exit code. What is printed was written by whoever made the files: it cannot move the
terminal.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TextIO


class State(StrEnum):
    """What is known of a thing."""

    OK = "ok"
    BAD = "bad"
    OPEN = "open"
    """It cannot be told from what was given."""
    NOTE = "note"
    """Not a verdict: something the reader should know."""


@dataclass(frozen=True)
class Verdict:
    """What is known of one thing, in words and as facts."""

    path: str
    kind: str
    state: State
    text: str
    facts: Mapping[str, object] = field(default_factory=dict)


class Report:
    """Prints verdicts and remembers the worst."""

    def __init__(self, out: TextIO, *, machine: bool) -> None:
        """Take where to print, and whether a machine reads it."""
        self._out, self._machine = out, machine
        self._states: set[State] = set()

    @property
    def code(self) -> int:
        """The exit code: 1 when something is false, else 2 when something cannot be told, else 0."""
        if State.BAD in self._states:
            return 1
        return 2 if State.OPEN in self._states else 0

    def add(self, verdict: Verdict) -> None:
        """Print one."""
        self._states.add(verdict.state)
        if self._machine:
            shown = {"state": verdict.state, "path": verdict.path, "kind": verdict.kind, "text": verdict.text}
            line = json.dumps(shown | dict(verdict.facts), sort_keys=True)
        else:
            line = f"{verdict.state.upper():4} {printable(f'{verdict.path}: {verdict.text}')}"
        self._out.write(f"{line}\n")


def printable(text: str) -> str:
    """Return the text, escaped when it holds what would not stay in its line."""
    return text if text.isprintable() else ascii(text)
