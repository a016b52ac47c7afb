"""Owns the gateway's records in the audit log. It has no store, so each record waits for the log's answer.

A configuration that cannot be recorded is not pushed. Every start is an epoch of its own that names the one before, as
audit tells it; numbers begin at 1. What was recorded since the start stays in memory, for a log that was restored.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from services.kit.checks import CHECK_ACTION, describe
from services.kit.shipping import BATCH, Away
from valv.audit.v1 import event_pb2

if TYPE_CHECKING:
    from services.kit.checks import Finding
    from services.kit.clock import Clock
    from services.kit.ids import Ids
    from services.kit.shipping import Sender

ROLE = "gateway"
CONFIRM_SECONDS = 30.0
"""How often the log is asked whether it still holds what it took."""
MOST = 4096
"""Records of one epoch; the next begins another, and those before it are no longer kept for a replay."""
MOST_WAITING = 256
"""Records that the log has not taken yet; no results of checks are added to so many."""
_CONFIGURATION = "configuration"
PUSHED, ROLLED_BACK = "gateway.config.push", "gateway.config.rollback"
REFUSED = "CONFIGURATION_REFUSED"


class Ledger:
    """Appends one event at a time, in the order asked for."""

    def __init__(self, sender: Sender, clock: Clock, ids: Ids) -> None:
        """Take the way to the log; nothing is sent yet."""
        self._sender, self._clock, self._ids = sender, clock, ids
        self._epoch = ids.new("epo")
        self._predecessor = ""
        self._agreed = False
        self._records: list[bytes] = []
        self._untold: dict[str, tuple[str, ...]] = {}  # by what they are about: sent or not, nobody was told
        self._held = self._before = 0
        self._turn = asyncio.Lock()

    async def run(self) -> None:
        """Replay to a log that was restored what it lost, for as long as this runs."""
        while True:
            await asyncio.sleep(CONFIRM_SECONDS)
            with suppress(Away):  # whatever is recorded next says aloud that the log is away
                await self.confirm()

    async def confirm(self) -> None:
        """Tell the log that all was sent, and send again what it no longer holds.

        Raises:
            services.kit.shipping.Away: The log did not answer, or does not hold it.
        """
        async with self._turn:
            await self._send()
            held = (self._epoch, self._held) if self._held else (self._predecessor, self._before)
            if await self._sender.head(*held) != held:
                self._agreed = False
                await self._send()

    async def record(self, action: str, digest: str) -> None:
        """Return when the log holds that a configuration was pushed or rolled back.

        Asked again after a failure, it sends the same record again.

        Raises:
            services.kit.shipping.Away: The log did not answer, or does not hold it.
        """
        event = self._event(action, event_pb2.Object(kind=_CONFIGURATION, id="edge"))
        event.details.digest = digest
        if action == ROLLED_BACK:
            event.outcome, event.reason = event_pb2.OUTCOME_FAILED, REFUSED
        await self._append((_CONFIGURATION, action, digest), event)

    async def found(self, finding: Finding) -> None:
        """Return when the log holds the result of a live check.

        Raises:
            services.kit.shipping.Away: The log did not answer, or does not hold it.
        """
        event = self._event(CHECK_ACTION, event_pb2.Object())
        describe(event, finding, ROLE)
        await self._append((finding.check, finding.state, str(finding.measured)), event)

    async def _append(self, key: tuple[str, ...], event: event_pb2.Event) -> None:
        """Append what a key says of its first word; asked again after a failure, it appends nothing new."""
        async with self._turn:
            if self._untold.get(key[0]) != key:
                if key[0] != _CONFIGURATION and len(self._records) - self._held >= MOST_WAITING:
                    await self._send()
                if self._held >= MOST:
                    self._begin(self._epoch, self._held)
                self._records.append(event.SerializeToString(deterministic=True))
                self._untold[key[0]] = key
            await self._send()
            del self._untold[key[0]]

    async def _send(self) -> None:
        """Send what the log does not hold; whatever goes wrong, compare with it before the next time."""
        if not self._agreed:
            await self._agree()
        self._agreed = False
        while events := self._records[self._held : self._held + BATCH]:
            highest = await self._sender.append(self._epoch, self._predecessor, self._held + 1, events)
            if highest < self._held + len(events):
                raise Away("the log holds less than was sent")
            self._held += len(events)
        self._agreed = True

    async def _agree(self) -> None:
        epoch, highest = await self._sender.head()
        if epoch == self._epoch:
            self._held = min(highest, len(self._records))
        elif not self._held or epoch == self._predecessor:
            self._predecessor, self._before, self._held = epoch, highest, 0
        else:  # it was restored to before this epoch's predecessor, or asks for another epoch after a restore
            self._begin(epoch, highest)

    def _begin(self, predecessor: str, before: int) -> None:
        self._epoch, self._predecessor, self._before = self._ids.new("epo"), predecessor, before
        self._records, self._held = self._records[self._held :], 0

    def _event(self, action: str, target: event_pb2.Object) -> event_pb2.Event:
        event = event_pb2.Event(
            event_id=self._ids.new("evt"),
            action=action,
            outcome=event_pb2.OUTCOME_SUCCESS,
            actor=event_pb2.Actor(kind=event_pb2.Actor.KIND_SERVICE, id=ROLE),
            object=target,
        )
        event.time.FromDatetime(self._clock.now())
        return event
