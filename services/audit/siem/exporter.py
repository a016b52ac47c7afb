"""The exporter: carries the log to one sink, in order, up to the last signed checkpoint.

Owns when: one batch under way at a time, the cursor moved after the sink has taken it, longer and longer pauses while
it does not. What happens meanwhile waits in the log itself. Each event reaches the sink at least once. Never slows the
log: it only reads.

An export opens bodies, so it is recorded: where it begins, and then at most once an hour with a count. The export's own
records are not counted; a log in which nothing else happens does not grow by being exported.
"""

import asyncio
from datetime import timedelta

from services.audit.siem.batches import Batches
from services.audit.siem.store import Batch, Cursor, Cursors, Heads, Lease, Log, MovedError, Route, SinkError, Starts
from services.kit.clock import Clock

IDLE_SECONDS = 1.0
BETWEEN_SECONDS = 0.02
"""Between batches while there is more: others come first."""
MAX_PAUSE_SECONDS = 60.0
TELL = timedelta(hours=1)
_RENEW_SECONDS = 1.0


class Exporter:
    """Exports to one sink."""

    def __init__(
        self,
        route: Route,
        batches: Batches,
        cursors: Cursors,
        heads: Heads,
        lease: Lease,
        starts: Starts,
        clock: Clock,
        log: Log,
    ) -> None:
        """Take the way to the sink, what makes batches, and where it is kept how far it has come."""
        self._route, self._name, self._batches = route, route.name, batches
        self._cursors, self._heads, self._lease, self._starts = cursors, heads, lease, starts
        self._clock, self._log = clock, log
        self._begun = False
        self._cursor: Cursor | None = None

    async def run(self) -> None:
        """Export until cancelled."""
        pause = IDLE_SECONDS
        try:
            while True:
                try:
                    pause = BETWEEN_SECONDS if await self.step() else IDLE_SECONDS
                except Exception as error:  # noqa: BLE001 - whatever the sink or a store raises: the log keeps, it is sent again
                    told = {"reason": error.reason, "status": error.status} if isinstance(error, SinkError) else {}
                    self._log.failure("the export waits", error, kind=self._name, **told)
                    pause = min(max(pause, IDLE_SECONDS) * 2, MAX_PAUSE_SECONDS)
                await asyncio.sleep(pause)
        finally:
            await self._lease.release()

    async def step(self) -> bool:
        """Send one batch, if there is one and no other process exports; return whether more waits.

        Raises:
            SinkError: The sink did not take it; the cursor stands.
        """
        if await self._lease.hold() is None:
            self._begun, self._cursor = False, None
            return False
        if not self._begun:
            await self._starts.siem_started(self._name)
            self._begun = True
        cursor, self._cursor = self._cursor or await self._cursors.load(self._name), None
        if cursor.untold and (cursor.told is None or self._clock.now() - cursor.told >= TELL):
            cursor = await self._cursors.tell(cursor)
        latest = await self._heads.latest()
        if latest is None or latest[1].size <= cursor.next:
            self._cursor = cursor
            return False
        batch = await self._batches.make(cursor.next, self._route.limit, *latest)
        await self._send(batch)
        self._cursor = await self._cursors.advance(cursor, batch.last + 1, batch.opened)
        return self._cursor.next < latest[1].size

    async def _send(self, batch: Batch) -> None:
        """Send, and keep the lease meanwhile: a slow sink must not make processes take turns."""
        sending = asyncio.create_task(self._route.sink.send(batch))
        try:
            while not (await asyncio.wait({sending}, timeout=_RENEW_SECONDS))[0]:
                if await self._lease.hold() is None:
                    raise MovedError
            await sending
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
