"""The sequencer: turns durable entries into durable tiles, then into a signed checkpoint, at most a second later.

Owns the order of those steps and the refusal to sign what does not extend the last signed checkpoint. One process at a
time signs: the lease chooses it, and the checkpoint store refuses the token of a stale holder. Never takes a record in.
"""

import asyncio
from typing import Protocol

from services.audit.checkpoint import Checkpoint, CheckpointError, open_checkpoint, parse, sign_next
from services.audit.errors import LOG_HALTED
from services.audit.note import Signer
from services.audit.store import CheckpointStore, ConflictError, Entries, Lease, SignedHead, TileStore
from services.audit.tiles import ENTRIES, WIDTH, TileError
from services.audit.tree import Edge, Growth, MissingTileError, load_edge
from services.kit.clock import Clock
from services.kit.faults import Fault

INTERVAL_SECONDS = 0.25
"""Pause between an entry's arrival and the round that covers it, so that a round covers many."""
IDLE_SECONDS = 0.5
RETRY_SECONDS = 0.5
HALT_SECONDS = 30.0
_ROUND = 8192
_FRESH_SECONDS = 0.2


class HaltError(Exception):
    """The log disagrees with what was signed. Only an operator can mend that; nothing is signed until then."""

    def __init__(self, reason: str) -> None:
        """Take the stable reason."""
        super().__init__(reason)
        self.reason = reason


class Log(Protocol):
    """Where the sequencer tells what it met."""

    def info(self, name: str, **fields: object) -> None:
        """Log an event."""

    def warning(self, name: str, **fields: object) -> None:
        """Log something to look at."""

    def failure(self, name: str, error: BaseException, **fields: object) -> None:
        """Log something to mend."""


class _State:
    """What the last round left: the edge of the signed tree."""

    def __init__(self, edge: Edge, head: SignedHead) -> None:
        self.edge, self.head = edge, head


class Sequencer:
    """Signs the log."""

    def __init__(
        self,
        signer: Signer,
        entries: Entries,
        tiles: TileStore,
        checkpoints: CheckpointStore,
        lease: Lease,
        log: Log,
    ) -> None:
        """Take the log's key, its stores and the lease."""
        self._signer, self._entries, self._tiles = signer, entries, tiles
        self._checkpoints, self._lease, self._log = checkpoints, lease, log
        self._state: _State | None = None
        self._wake = asyncio.Event()
        self._sound = False
        self.mended = 0
        """How often what is derived was found lost or damaged and made anew from what was signed."""

    def wake(self) -> None:
        """Tell that entries have arrived."""
        self._wake.set()

    def require_sound(self) -> None:
        """Raise Fault LOG_HALTED until the log was found to agree with what was signed, and whenever it does not."""
        if not self._sound:
            raise Fault(LOG_HALTED, retry_after=10)

    async def run(self) -> None:
        """Sequence until cancelled."""
        try:
            while True:
                await asyncio.sleep(await self._round())
                await self._idle()
        finally:
            await self._lease.release()

    async def step(self) -> bool:
        """Do one round; return whether more entries wait.

        Any error forgets the state, so that the next round starts from what the stores hold.

        Raises:
            HaltError: The log disagrees with what was signed.
        """
        state, self._state = self._state, None
        fence = await self._lease.hold()
        if fence is None:
            await self._compare()
            self._sound = True
            return False
        if state is None or state.head.fence != fence:
            state = await self._reload(fence)
        self._sound = True
        fresh = await self._entries.entries(state.edge.size, _ROUND)
        if fresh:
            state = await self._extend(state, state.edge.grow(fresh))
        self._state = state
        return len(fresh) == _ROUND

    async def _round(self) -> float:
        self._wake.clear()
        try:
            while await self.step():
                pass
        except HaltError as halt:
            self._sound = False
            self._log.failure("the log is halted", halt, reason=halt.reason)
            return HALT_SECONDS
        except Exception as error:  # noqa: BLE001 - whatever a store raises: reload and try again
            self._log.failure("a round failed", error)
            return RETRY_SECONDS
        return INTERVAL_SECONDS

    async def _idle(self) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), IDLE_SECONDS)
        except TimeoutError:
            return

    async def _extend(self, state: _State, growth: Growth) -> _State:
        last = open_checkpoint(state.head.note, self._signer.verifier)
        await self._put(growth)
        note = sign_next(self._signer, last, growth.edge.size, growth.edge.root())
        head = SignedHead(note, state.head.fence)
        await self._checkpoints.swap(state.head.note, head)
        await self._tiles.publish(note)
        for tile in growth.files:
            if tile.full:
                await self._tiles.prune(tile)
        return _State(growth.edge, head)

    async def _compare(self) -> tuple[SignedHead, Checkpoint] | None:
        stored, size = await self._checkpoints.load(), await self._entries.size()
        if stored is None:
            if size:
                raise HaltError("CHECKPOINT_MISSING")
            return None
        last = self._open(stored.note)
        if last.size > size:
            raise HaltError("ENTRIES_BELOW_CHECKPOINT")
        return stored, last

    async def _reload(self, fence: int) -> _State:
        found = await self._compare()
        if found is None:
            head = SignedHead(sign_next(self._signer, None, 0, Edge().root()), fence)
            await self._checkpoints.swap(None, head)
            await self._tiles.publish(head.note)
            return _State(Edge(), head)
        stored, last = found
        await self._require_newest(last)
        edge = await self._edge(last)
        if stored.fence >= fence:
            fence = await self._lease.surpass(stored.fence)
        head = SignedHead(stored.note, fence)
        await self._checkpoints.swap(stored.note, head)
        await self._tiles.publish(stored.note)
        self._log.info("the log continues", size=last.size)
        return _State(edge, head)

    async def _put(self, growth: Growth) -> None:
        try:
            await self._tiles.put(growth.files)
        except ConflictError:
            raise HaltError("TILES_DIFFER") from None

    async def _require_newest(self, last: Checkpoint) -> None:
        """Check that nobody was shown a later head, or another of this size, than the one this log goes on from."""
        note = await self._tiles.published()
        try:
            published = open_checkpoint(note or b"", self._signer.verifier)
        except CheckpointError:
            self._log.warning("the published checkpoint is made anew", size=last.size)
            self.mended += 1
            return
        if published.size > last.size:
            raise HaltError("CHECKPOINT_STALE")
        if published.size == last.size and published.root != last.root:
            raise HaltError("CHECKPOINT_FORKED")
        self.mended += published.size < last.size

    def _open(self, note: bytes) -> Checkpoint:
        try:
            return open_checkpoint(note, self._signer.verifier)
        except CheckpointError:
            raise HaltError("CHECKPOINT_FOREIGN") from None

    async def _edge(self, last: Checkpoint) -> Edge:
        """Return the edge of the signed tree, from its tiles or, when they are lost, anew from the entries."""
        tail = last.size - last.size % WIDTH
        entries = await self._entries.entries(tail, last.size - tail) if last.size > tail else []
        try:
            edge = await load_edge(self._tiles, last.size, entries)
            bundle = await self._tiles.get(next(t for t in edge.partials() if t.level == ENTRIES)) if entries else b""
        except (MissingTileError, TileError):
            return await self._rebuild(last)
        if edge.root() != last.root or bundle is None:
            return await self._rebuild(last)
        return edge

    async def _rebuild(self, last: Checkpoint) -> Edge:
        self._log.warning("tiles are derived anew", size=last.size)
        self.mended += 1
        edge = Edge()
        while edge.size < last.size:
            entries = await self._entries.entries(edge.size, min(_ROUND, last.size - edge.size))
            if not entries:
                raise HaltError("ENTRIES_DIFFER")
            growth = edge.grow(entries)
            await self._put(growth)
            edge = growth.edge
        if edge.root() != last.root:
            raise HaltError("ENTRIES_DIFFER")
        return edge


class CheckpointReader:
    """The latest signed checkpoint, as every replica sees it; at most a fifth of a second old."""

    def __init__(self, checkpoints: CheckpointStore, clock: Clock) -> None:
        """Read from the store the signer writes."""
        self._checkpoints, self._clock = checkpoints, clock
        self._known: tuple[bytes, Checkpoint] | None = None
        self._until = 0.0

    async def latest(self) -> tuple[bytes, Checkpoint] | None:
        """Return the signed note and what it says, or None before the first."""
        if self._known is None or self._clock.monotonic() >= self._until:
            until = self._clock.monotonic() + _FRESH_SECONDS
            stored = await self._checkpoints.load()
            if stored is not None:
                self._known = stored.note, parse(stored.note.decode().partition("\n\n")[0] + "\n")
            self._until = until
        return self._known
