"""The search for what must be nowhere: card numbers and secrets, here in what this process itself has logged.

Owns what is looked for and how far a search has come: each round is bounded and goes on where the last one stopped. It
counts; it must never record, log or keep what it found.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from services.kit import cardguard
from services.kit.ids import is_id

if TYPE_CHECKING:
    from services.kit.logline import RecentLines

BYTES_A_ROUND = 8 << 20
_SECRET = re.compile(
    r"v(?:st|dt|mt|ch)_[A-Za-z0-9_-]{43}"  # sessions, devices, mails, challenges
    r"|-----BEGIN (?:[A-Z]+ )*PRIVATE[ ]KEY-----"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{20,}"  # signed tokens
    r"|\b[sr]k_(?:live|test)_[A-Za-z0-9]{16,}"  # keys of a payment gateway
    r"|\bAKIA[0-9A-Z]{16}\b"
)
_GRPC_PREFIX = re.compile(r"[IWEF]\d{4} [\d:.]+ +\d+ ")
"""Time and thread that gRPC's core puts before its own lines."""
_MACHINE_MADE = frozenset({"time", "request_id", "trace_id"})
"""Fields of a log line whose form the kit makes itself; their digits may look like anything."""


@dataclass
class Leaks:
    """How many were found."""

    cards: int = 0
    secrets: int = 0

    def look(self, text: str) -> None:
        """Count what a text holds: at most one of each."""
        if text and not is_id(text):
            self.cards += cardguard.contains_card_number(text)
            self.secrets += _SECRET.search(text) is not None

    def look_all(self, texts: Iterable[str]) -> None:
        """Count texts that belong together, such as a line's, as one."""
        found = Leaks()
        for text in texts:
            found.look(text)
        self.cards += found.cards > 0
        self.secrets += found.secrets > 0


class LogSearch:
    """Searches what this process wrote. What was found stays found until it is gone: from the file, or by a restart."""

    def __init__(self, recent: RecentLines, file: Path | None) -> None:
        """Take the last lines, and the file that standard error goes to, if it is one."""
        self._recent, self._file = recent, file
        self._written, self._in_file = Leaks(), Leaks()
        self._inode, self._offset = 0, 0
        self._turn = asyncio.Lock()

    async def cards(self) -> int:
        """Search on; return how many lines hold a card number."""
        await self._search()
        return max(self._written.cards, self._in_file.cards)

    async def secrets(self) -> int:
        """Search on; return how many lines hold a secret."""
        await self._search()
        return max(self._written.secrets, self._in_file.secrets)

    async def _search(self) -> None:
        async with self._turn:
            lines = self._recent.take()
            await asyncio.to_thread(self._look, lines)

    def _look(self, lines: list[str]) -> None:
        for line in lines:
            self._written.look_all(_of_line(line))
        if self._file is None:
            return
        with self._file.open("rb") as log:
            inode, size = (stat := self._file.stat()).st_ino, stat.st_size
            if inode != self._inode or size < self._offset:
                self._inode, self._offset, self._in_file = inode, 0, Leaks()
            log.seek(self._offset)
            data = log.read(BYTES_A_ROUND)
        whole = data if len(data) == BYTES_A_ROUND and b"\n" not in data else data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.decode("utf-8", "replace").splitlines():
            self._in_file.look_all(_of_line(line))


def _of_line(line: str) -> list[str]:
    try:
        fields = json.loads(line)
    except ValueError:
        return [_GRPC_PREFIX.sub("", line, count=1)]
    if not isinstance(fields, dict):
        return [line]
    return [json.dumps(value) for name, value in fields.items() if name not in _MACHINE_MADE and not is_id(str(value))]
