"""What others have seen of the log: whether all of our own stores were taken back to an earlier day.

Owns the question and the judgement of the answers. A head that we signed and that somebody holds is taken as our last
one; below it nothing is signed.
"""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from services.audit.checkpoint import Checkpoint, CheckpointError, open_checkpoint
from services.audit.errors import HaltError
from services.audit.merkle import ProofError, check_consistency
from services.audit.note import Verifier, signed_by
from services.audit.store import TileStore
from services.audit.tree import MissingTileError, TreeReader
from services.audit.witness.client import RefusedError, StaleError, WitnessAwayError


class Asked(Protocol):
    """A witness."""

    async def add_checkpoint(self, old: int, proof: Sequence[str], note: bytes) -> bytes:
        """Return its signature lines; raise StaleError, RefusedError or WitnessAwayError."""

    async def latest(self, origin: str) -> bytes | None:
        """Return the latest note that it cosigned; raise WitnessAwayError."""


class Outside:
    """The witnesses and the published copy, as memories of the log."""

    def __init__(self, witnesses: Sequence[Asked], require: int, tiles: TileStore, verifier: Verifier) -> None:
        """Take whom to ask, how many of them a served head has, and the log's key."""
        self._witnesses, self._tiles, self._verifier = witnesses, tiles, verifier
        self._needed = len(witnesses) - require + 1 if require else 0

    @property
    def witnessed(self) -> bool:
        """Whether a head is published only when witnesses have cosigned it: later than it is signed."""
        return bool(self._witnesses)

    async def beyond(self, note: bytes, last: Checkpoint) -> bytes | None:
        """Return a note of ours over more than `last`, signed by the log alone; None when nobody holds one.

        Raises:
            WitnessAwayError: Too few answered: the last head that was served may be known to none of those who did.
            HaltError: CHECKPOINTS_DIFFER (two trees were signed), WITNESS_AHEAD (a witness has seen more and does not
                say what), TILES_LOST.
        """
        answers = await asyncio.gather(*(self._ask(each, note, last) for each in self._witnesses), self._copy())
        *heard, copy = answers
        if sum(answer is not None for answer in heard) < self._needed:
            raise WitnessAwayError
        heads = [answer for answer in (*heard, copy) if isinstance(answer, tuple)]
        for head, _ in heads:
            if head.size == last.size and head.root != last.root:
                raise HaltError("CHECKPOINTS_DIFFER")
        head, newest = max(heads, key=lambda each: each[0].size, default=(last, note))
        if max((answer for answer in heard if isinstance(answer, int)), default=0) > head.size:
            raise HaltError("WITNESS_AHEAD")
        if head.size <= last.size:
            return None
        await self._require_extension(last, head)
        return signed_by(newest, self._verifier)

    async def publish(self, note: bytes) -> None:
        """Put a signed head beside its tiles, unless witnesses must see it first: then the publisher does."""
        if not self._witnesses:
            await self._tiles.publish(note)

    async def _ask(self, witness: Asked, note: bytes, last: Checkpoint) -> tuple[Checkpoint, bytes] | int | None:
        """Return the head a witness holds, else the size it cosigned last; None when it is away."""
        try:
            held = await witness.latest(last.origin)
            if held is not None:
                return self._open(held)
            await witness.add_checkpoint(0, [], note)
        except StaleError as stale:
            return stale.size
        except RefusedError:
            return 0
        except WitnessAwayError:
            return None
        return last.size

    async def _copy(self) -> tuple[Checkpoint, bytes] | None:
        note = await self._tiles.published()
        return self._open(note) if note is not None else None

    def _open(self, note: bytes) -> tuple[Checkpoint, bytes] | None:
        """Return what a note says if it is ours; another says nothing about this log."""
        try:
            return open_checkpoint(note, self._verifier), note
        except CheckpointError:
            return None

    async def _require_extension(self, last: Checkpoint, head: Checkpoint) -> None:
        try:
            proof = await TreeReader(self._tiles, head.size).consistency(last.size)
            check_consistency(last.size, head.size, proof, last.root, head.root)
        except MissingTileError:
            raise HaltError("TILES_LOST") from None
        except ProofError:
            raise HaltError("CHECKPOINTS_DIFFER") from None
