"""The back-fill of the index: entries that came before it, or through a process that did not know it, get their lines.

Owns when the index is complete, before which nobody may search: a search that misses something must not say that there
is nothing. Opens bodies inside the service, which is an entry. Resumes where it was when the service stopped.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

from services.audit.bodies import Bodies
from services.audit.errors import INDEX_INCOMPLETE
from services.audit.event import parse
from services.audit.search.store import State
from services.audit.search.tags import VERSION, Tagging, Tags
from services.audit.store import Kept
from services.kit.envelope import SealError
from services.kit.faults import Fault
from services.kit.telemetry import Log

AT_ONCE = 1024
SECONDS = 30.0
"""Between looks for entries without a line, once all have one."""


class Lines(Protocol):
    """The index and the entries it is of."""

    async def state(self) -> State:
        """Return how far it is."""

    async def restart(self, version: int) -> None:
        """Begin an index of this version, with no lines."""

    async def missing(self, start: int, end: int) -> Sequence[Kept]:
        """Return the records from `start` up to `end`, without it, that have no line."""

    async def fill(self, start: int, end: int, lines: Mapping[int, Tags | None]) -> bool:
        """Add lines and move the mark from `start` to `end`; False when another replica has moved it."""


class Journal(Protocol):
    """Where it is recorded."""

    async def filling(self, count: int) -> None:
        """Record that up to so many bodies are opened to fill the index."""


class Filling:
    """Fills the index."""

    def __init__(self, lines: Lines, bodies: Bodies, tagging: Tagging, journal: Journal, log: Log) -> None:
        """Take the index, what opens bodies, and where to say so."""
        self._lines, self._bodies, self._tagging = lines, bodies, tagging
        self._journal, self._log = journal, log
        self._complete = self._told = False

    def require_complete(self) -> None:
        """Refuse while entries may lack their lines.

        Raises:
            Fault: INDEX_INCOMPLETE.
        """
        if not self._complete:
            raise Fault(INDEX_INCOMPLETE, retry_after=SECONDS)

    async def run(self) -> None:
        """Fill for ever."""
        while True:
            try:
                busy = await self.step()
            except Exception as error:  # noqa: BLE001 - whatever it is, the next step reads again how far it is
                self._log.failure("the index waits", error)
                busy = False
            if not busy:
                await asyncio.sleep(SECONDS if self._complete else 1)

    async def step(self) -> bool:
        """Fill some; tell whether there may be more."""
        state = await self._lines.state()
        if state.version != VERSION:
            self._complete = False
            await self._lines.restart(VERSION)
            return True
        if state.filled == state.size:
            self._complete = True
            return False
        end = min(state.filled + AT_ONCE, state.size)
        missing = await self._lines.missing(state.filled, end)
        if missing and not self._told:
            await self._journal.filling(state.size - state.filled)
            self._told = True
        await self._lines.fill(state.filled, end, await self._read(missing))
        return True

    async def _read(self, records: Sequence[Kept]) -> dict[int, Tags | None]:
        tagger, lines = await self._tagging.tagger(), dict[int, Tags | None]()
        for record in records:
            try:
                opening = await self._bodies.open(record)
            except SealError as error:  # it cannot be found by what nobody can read; the log's own checks judge it
                self._log.failure("a body does not open", error, index=record.index)
                opening = None
            lines[record.index] = tagger.of(parse(opening.event)[0]) if opening is not None else None
            await asyncio.sleep(0)  # let others have a turn
        return lines
