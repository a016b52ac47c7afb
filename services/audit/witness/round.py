"""One witness's view of the log: from which size it must be shown consistency, and what it answered last.

Owns the proof that is sent, the one retry with the size the witness names, and when it is asked again. What it answers
is verified before it counts.
"""

import base64
from collections.abc import Sequence
from typing import Protocol

from services.audit.checkpoint import Checkpoint
from services.audit.tree import TileSource, TreeReader
from services.audit.witness.client import RefusedError, StaleError, WitnessAwayError
from services.audit.witness.cosignature import CosignatureError, Cosigner, read
from services.kit.clock import Clock

LONGEST_PAUSE_SECONDS = 60.0


class Asked(Protocol):
    """A witness."""

    async def add_checkpoint(self, old: int, proof: Sequence[str], note: bytes) -> bytes:
        """Return its signature lines; raise StaleError, RefusedError or WitnessAwayError."""

    async def latest(self, origin: str) -> bytes | None:
        """Return the latest note that it cosigned; raise WitnessAwayError."""

    async def close(self) -> None:
        """Give up connections."""


class Alarms(Protocol):
    """Where a witness's refusal is recorded."""

    async def witness_refused(self, name: str, reason: str) -> None:
        """Record that the witness will not cosign the log."""


class Log(Protocol):
    """Where a witness's absence is told."""

    def warning(self, name: str, **fields: object) -> None:
        """Log something to look at."""


class Witness:
    """One witness, and what it is known to have seen."""

    def __init__(self, name: str, asked: Asked, cosigner: Cosigner, alarms: Alarms, clock: Clock, log: Log) -> None:
        """Take how it is asked and the key it signs with."""
        self.name, self.asked, self._cosigner = name, asked, cosigner
        self._alarms, self._clock, self._log = alarms, clock, log
        self._seen = 0
        self._refused = ""
        self._pause = 0.0
        self._next = 0.0

    async def cosign(self, note: bytes, head: Checkpoint, tiles: TileSource) -> str | None:
        """Return its cosignature line of the head, or None: it is away, refuses, or is not asked again yet."""
        if self._clock.monotonic() < self._next:
            return None
        try:
            line = await self._ask(note, head, tiles)
        except WitnessAwayError:
            self._log.warning("a witness is away", object=self.name)
            self._wait()
            return None
        except RefusedError as error:
            await self._refuse(f"STATUS_{error.status}")
            return None
        except StaleError as error:
            await self._refuse("AHEAD_OF_LOG" if error.size > head.size else "ANOTHER_ROOT")
            return None
        except CosignatureError:
            await self._refuse("WRONG_COSIGNATURE")
            return None
        self._seen, self._refused, self._pause = head.size, "", 0.0
        return line

    async def _ask(self, note: bytes, head: Checkpoint, tiles: TileSource) -> str:
        try:
            lines = await self._send(min(self._seen, head.size), note, head, tiles)
        except StaleError as error:
            if error.size > head.size or error.size == self._seen:
                raise
            self._seen = error.size
            lines = await self._send(error.size, note, head, tiles)
        return read(lines, head.text, self._cosigner, self._clock.now())

    async def _send(self, old: int, note: bytes, head: Checkpoint, tiles: TileSource) -> bytes:
        proof = await TreeReader(tiles, head.size).consistency(old)
        return await self.asked.add_checkpoint(old, [base64.b64encode(node).decode() for node in proof], note)

    async def _refuse(self, reason: str) -> None:
        self._log.warning("a witness refuses", object=self.name, reason=reason)
        if self._refused != reason:
            self._refused = reason
            await self._alarms.witness_refused(self.name, reason)
        self._wait()

    def _wait(self) -> None:
        self._pause = min(max(1.0, self._pause * 2), LONGEST_PAUSE_SECONDS)
        self._next = self._clock.monotonic() + self._pause
