"""The sequencer: turns durable entries into durable tiles, then into a signed checkpoint, at most a second later.

Owns the order of those steps and the refusal to sign what does not extend the last signed checkpoint. One process at a
time signs: the lease chooses it, and the checkpoint store refuses the token of a stale holder. Never takes a record in.
"""

import asyncio
from typing import Protocol

from services.audit.checkpoint import Checkpoint, CheckpointError, open_checkpoint, sign_next
from services.audit.errors import LOG_HALTED, HaltError
from services.audit.note import Signer
from services.audit.store import CheckpointStore, ConflictError, Entries, Lease, SignedHead, TileStore
from services.audit.tiles import ENTRIES, WIDTH, TileError
from services.audit.tree import Edge, Growth, MissingTileError, load_edge
from services.kit.faults import Fault

INTERVAL_SECONDS = 0.25
"""Pause between an entry's arrival and the round that covers it, so that a round covers many."""
IDLE_SECONDS = 0.5
RETRY_SECONDS = 0.5
HALT_SECONDS = 30.0
_ROUND = 8192
_FRESH_SECONDS = 0.2


class Log(Protocol):
    """Where the sequencer tells what it met."""

    def info(self, name: str, **fields: object) -> None:
        """Log an event."""

    def warning(self, name: str, **fields: object) -> None:
        """Log something to look at."""

    def failure(self, name: str, error: BaseException, **fields: object) -> None:
        """Log something to mend."""


class Recovery(Protocol):
    """The way back to the last signed head, when the database holds less."""

    async def advance(self, head: Checkpoint) -> None:
        """Do what can be done now; raise HaltError when only an operator can go on."""


class Outside(Protocol):
    """What others have seen of the log."""

    @property
    def witnessed(self) -> bool:
        """Whether a head is published only when witnesses have cosigned it: later than it is signed."""

    async def beyond(self, note: bytes, last: Checkpoint) -> bytes | None:
        """Return a note that the log signed over more than `last`, if anybody holds one."""

    async def publish(self, note: bytes) -> None:
        """Let others see a signed head, unless witnesses must see it first."""


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
        recovery: Recovery,
        outside: Outside,
        log: Log,
    ) -> None:
        """Take the log's key, its stores, the lease, the way back after a restore, and what others have seen."""
        self._signer, self._entries, self._tiles = signer, entries, tiles
        self._checkpoints, self._lease, self._recovery = checkpoints, lease, recovery
        self._outside, self._log = outside, log
        self._state: _State | None = None
        self._wake = asyncio.Event()
        self._sound = False
        self.mended = 0
        """How often what is derived was found lost or damaged and made anew from what was signed."""
        self._asked = False
        self.signing = False
        """Whether this process held the lease when it last looked."""
        self.recovering = True
        """Whether the log regains what it had signed; until it was compared with what was signed, it may have to."""

    def wake(self) -> None:
        """Tell that entries have arrived."""
        self._wake.set()

    def require_sound(self) -> None:
        """Raise Fault LOG_HALTED unless the log agrees with what was signed, or is on the way back to it."""
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
        self.signing = fence is not None
        if fence is None or state is None or state.head.fence != fence:
            found = await self._compare(fence)
            if fence is not None and found is not None and self.recovering:
                await self._recovery.advance(found[1])
            self._sound = found is not None
            if fence is None or found is None or self.recovering:
                return False
            state = await self._reload(fence, *found)
        fresh = await self._entries.entries(state.edge.size, _ROUND)
        if not fresh and await self._entries.size() < state.edge.size:
            return True  # the database was restored under this process: compare again
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
            async with asyncio.timeout(IDLE_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _extend(self, state: _State, growth: Growth) -> _State:
        last = open_checkpoint(state.head.note, self._signer.verifier)
        await self._put(growth)
        note = sign_next(self._signer, last, growth.edge.size, growth.edge.root())
        head = SignedHead(note, state.head.fence)
        await self._checkpoints.swap(state.head.note, head)
        await self._outside.publish(note)
        for tile in growth.files:
            if tile.full:
                await self._tiles.prune(tile)
        return _State(growth.edge, head)

    async def _compare(self, fence: int | None) -> tuple[SignedHead, Checkpoint] | None:
        stored, size = await self._checkpoints.load(), await self._entries.size()
        if stored is None:
            if size:
                raise HaltError("CHECKPOINT_MISSING")
            if fence is None:
                return None
            stored = SignedHead(sign_next(self._signer, None, 0, Edge().root()), fence)
            await self._checkpoints.swap(None, stored)
        last = self._open(stored.note)
        if not self._asked:
            stored, last = await self._ask(fence, stored, last)
            self._asked = True
        self.recovering = last.size > size
        return stored, last

    async def _ask(self, fence: int | None, stored: SignedHead, last: Checkpoint) -> tuple[SignedHead, Checkpoint]:
        """Return the last head, taken from outside if somebody holds a later one than our own store."""
        note = await self._outside.beyond(stored.note, last)
        if note is None:
            return stored, last
        if fence is None:
            raise HaltError("CHECKPOINT_BEHIND")  # until the holder of the lease has taken it
        head = SignedHead(note, max(fence, stored.fence))
        await self._checkpoints.swap(stored.note, head)
        self._log.warning("the checkpoint store had gone back", size=last.size)
        self.mended += 1
        return head, self._open(note)

    async def _reload(self, fence: int, stored: SignedHead, last: Checkpoint) -> _State:
        await self._require_newest(last)
        edge = await self._edge(last)
        if stored.fence >= fence:
            fence = await self._lease.surpass(stored.fence)
        head = SignedHead(stored.note, fence)
        await self._checkpoints.swap(stored.note, head)
        await self._outside.publish(stored.note)
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
            if last.size and not self._outside.witnessed:
                self._log.warning("the published checkpoint is made anew", size=last.size)
                self.mended += 1
            return
        if published.size > last.size:
            raise HaltError("CHECKPOINT_STALE")
        if published.size == last.size and published.root != last.root:
            raise HaltError("CHECKPOINT_FORKED")
        self.mended += published.size < last.size and not self._outside.witnessed

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
