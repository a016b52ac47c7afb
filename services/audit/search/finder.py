"""Finding events: the index says where they may be, and the opened event says whether it answers.

Owns that nothing is shown which does not answer every field, and that nothing is looked for in an index with holes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from services.audit.bodies import Bodies
from services.audit.event import Source, parse
from services.audit.receipt import Opening
from services.audit.search.store import Count, Found, Position, Span
from services.audit.search.tags import Tagging
from services.audit.search.terms import Terms
from services.audit.store import Kept
from services.kit.event import Event


class Index(Protocol):
    """The index."""

    async def page(self, wanted: Mapping[str, int], span: Span, limit: int) -> Found:
        """Return the next records with these tags, at most `limit`: fewer, or none, do not mean the end."""

    async def count(self, wanted: Mapping[str, int], span: Span) -> Count:
        """Count the records with these tags, as far as one page may look."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A record and what it says."""

    kept: Kept
    opening: Opening
    event: Event
    source: Source


@dataclass(frozen=True, slots=True)
class Finding:
    """What a page found, newest first, and where to go on; None at the end."""

    opened: list[Opened]
    resume: Position | None


class Finder:
    """Finds events and opens them."""

    def __init__(self, index: Index, bodies: Bodies, tagging: Tagging, require_complete: Callable[[], None]) -> None:
        """Take the index, what opens bodies, and the guard of an index that is not whole."""
        self._index, self._bodies, self._tagging = index, bodies, tagging
        self._require_complete = require_complete

    async def find(self, terms: Terms, before: Position | None, limit: int) -> Finding:
        """Return the next events that answer, at most `limit`: fewer, or none, do not mean the end.

        Raises:
            Fault: INDEX_INCOMPLETE.
        """
        self._require_complete()
        wanted = (await self._tagging.tagger()).wanted(terms)
        found = await self._index.page(wanted, Span(terms.since, terms.until, before), limit)
        opened = []
        for kept in found.kept:
            one = await opened_of(self._bodies, kept)
            if one is not None and terms.answered_by(one.event):
                opened.append(one)
        return Finding(opened, found.resume)

    async def count(self, terms: Terms) -> Count:
        """Count the events that answer, as far as one page looks.

        Raises:
            Fault: INDEX_INCOMPLETE.
        """
        self._require_complete()
        wanted = (await self._tagging.tagger()).wanted(terms)
        return await self._index.count(wanted, Span(terms.since, terms.until, None))


async def opened_of(bodies: Bodies, kept: Kept) -> Opened | None:
    """Return what a record says, or None when nobody can open it any more."""
    opening = await bodies.open(kept)
    return Opened(kept, opening, *parse(opening.event)) if opening is not None else None
