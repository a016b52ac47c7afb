"""The signed heads as every replica sees them.

Owns how old an answer may be. Signs nothing.
"""

from services.audit.checkpoint import Checkpoint, parse
from services.audit.store import CheckpointStore, Signed, SignedHead
from services.kit.clock import Clock

_FRESH_SECONDS = 0.2


class CheckpointReader:
    """The latest signed checkpoint; at most a fifth of a second old."""

    def __init__(self, checkpoints: CheckpointStore, clock: Clock, *, witnessed: bool = False) -> None:
        """Read from the store the signer writes; `witnessed`: what is served has been shown to witnesses."""
        self._checkpoints, self._clock, self._witnessed = checkpoints, clock, witnessed
        self._served: tuple[bytes, Checkpoint] | None = None
        self._known: tuple[SignedHead, Checkpoint] | None = None
        self._until = 0.0

    async def latest(self) -> tuple[bytes, Checkpoint] | None:
        """Return the note that is served and what it says, or None before the first."""
        await self._refresh()
        return self._served

    async def signed(self) -> Signed:
        """Return up to where the log is signed, and since when."""
        await self._refresh()
        return Signed(self._known[1].size, self._known[0].time) if self._known is not None else Signed(0, None)

    async def _refresh(self) -> None:
        if self._known is not None and self._clock.monotonic() < self._until:
            return
        until = self._clock.monotonic() + _FRESH_SECONDS
        stored = await self._checkpoints.load()
        if stored is not None:
            self._known = stored, _parse(stored.note)
        if not self._witnessed:
            self._served = (stored.note, self._known[1]) if stored is not None and self._known is not None else None
        elif (published := await self._checkpoints.published()) is not None:
            self._served = published.note, _parse(published.note)
        self._until = until


def _parse(note: bytes) -> Checkpoint:
    return parse(note.decode().partition("\n\n")[0] + "\n")
