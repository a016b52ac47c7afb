"""The requests that the edge saw answered, against those that entries were made in.

Owns the comparison. Never tells what a request did.
"""

from collections.abc import Collection, Sequence
from typing import Protocol

from services.audit.errors import LOG_RECOVERING
from services.audit.search.tags import Tagging
from services.kit.faults import Fault


class Store(Protocol):
    """The requests of the last days."""

    async def held(self, requests: Collection[int]) -> set[int]:
        """Return those of these tags that an entry has."""


class Gate(Protocol):
    """The sequencer, as far as it tells whether the log is whole."""

    @property
    def recovering(self) -> bool:
        """Whether the log regains what it had signed."""


class Requests:
    """Compares requests with the log."""

    def __init__(self, store: Store, tagging: Tagging, gate: Gate) -> None:
        """Take the requests that entries were made in, their tags, and what tells whether entries are missing."""
        self._store, self._tagging, self._gate = store, tagging, gate

    async def unrecorded(self, request_ids: Sequence[str]) -> list[str]:
        """Return those that no entry was made in.

        Raises:
            Fault: LOG_RECOVERING: entries are missing that are on their way.
        """
        if self._gate.recovering:
            raise Fault(LOG_RECOVERING, retry_after=1)
        tagger = await self._tagging.tagger()
        tags = {request: tagger.of_request(request) for request in request_ids}
        held = await self._store.held(tags.values())
        return [request for request, tag in tags.items() if tag not in held]
