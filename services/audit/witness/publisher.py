"""The publisher: what is served is a signed head with the cosignatures that the policy requires.

Owns when a head is shown to the witnesses and when it is served. Never signs, and never stops what comes into the log:
while witnesses are away, the head that is served grows older.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from services.audit.checkpoint import Checkpoint, open_checkpoint
from services.audit.note import Verifier
from services.audit.store import CheckpointStore, Published, TileStore
from services.audit.tree import TileSource

_RETRY_SECONDS = 1.0


class Cosigning(Protocol):
    """A witness."""

    name: str

    async def cosign(self, note: bytes, head: Checkpoint, tiles: TileSource) -> str | None:
        """Return its cosignature line of the head, or None."""


class Log(Protocol):
    """Where a round that failed is told."""

    def failure(self, name: str, error: BaseException, **fields: object) -> None:
        """Log something to mend."""


class Publisher:
    """Publishes heads with their cosignatures."""

    def __init__(
        self,
        witnesses: Sequence[Cosigning],
        require: int,
        checkpoints: CheckpointStore,
        tiles: TileStore,
        verifier: Verifier,
        log: Log,
        signing: Callable[[], bool],
        interval: float = 1.0,
    ) -> None:
        """Take the witnesses, how many must have cosigned, the stores, and whether this process signs the log."""
        self._witnesses, self._require, self._signing = witnesses, require, signing
        self._checkpoints, self._tiles, self._verifier, self._log = checkpoints, tiles, verifier, log
        self._interval = interval
        self._lines: tuple[bytes, dict[str, str]] = (b"", {})

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            pause = self._interval
            try:
                await self.step()
            except Exception as error:  # noqa: BLE001 - whatever a store raises: the next round reads it again
                self._log.failure("a checkpoint could not be published", error)
                pause = _RETRY_SECONDS
            await asyncio.sleep(pause)

    async def step(self) -> None:
        """Show the last signed head to the witnesses that have not cosigned it; publish it if enough have."""
        stored = await self._checkpoints.load() if self._signing() else None
        if stored is None:
            return
        head = open_checkpoint(stored.note, self._verifier)
        known = self._lines[1] if self._lines[0] == stored.note else {}
        asked = [witness for witness in self._witnesses if witness.name not in known]
        if not head.size or not asked:
            return
        found = await asyncio.gather(*(each.cosign(stored.note, head, self._tiles) for each in asked))
        lines = known | {each.name: line for each, line in zip(asked, found, strict=True) if line is not None}
        self._lines = (stored.note, lines)
        if len(lines) >= self._require:
            note = stored.note + "".join(f"{line}\n" for line in lines.values()).encode()
            await self._checkpoints.publish(Published(note, head.size, len(lines)))
            served = await self._checkpoints.published()
            if served is not None:
                await self._tiles.publish(served.note)
