"""Owns the gateway's records in the audit log. It has no store, so each record waits for the log's answer.

A configuration that cannot be recorded is not pushed. Every start is an epoch of its own that names the one before, as
audit tells it; numbers begin at 1.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from services.kit.checks import CHECK_ACTION, describe
from services.kit.relay import Away
from valv.audit.v1 import event_pb2

if TYPE_CHECKING:
    from services.kit.checks import Finding
    from services.kit.clock import Clock
    from services.kit.ids import Ids
    from services.kit.relay import Sender

ROLE = "gateway"
PUSHED, ROLLED_BACK = "gateway.config.push", "gateway.config.rollback"
REFUSED = "CONFIGURATION_REFUSED"


class Ledger:
    """Appends one event at a time, in the order asked for."""

    def __init__(self, sender: Sender, clock: Clock, ids: Ids) -> None:
        """Take the way to the log; nothing is sent yet."""
        self._sender, self._clock, self._ids = sender, clock, ids
        self._epoch = ids.new("epo")
        self._predecessor: str | None = None
        self._held = 0
        self._pending: list[tuple[tuple[str, ...], bytes]] = []
        self._turn = asyncio.Lock()

    async def record(self, action: str, digest: str) -> None:
        """Return when the log holds that a configuration was pushed or rolled back.

        Asked again after a failure, it sends the same record again.

        Raises:
            services.kit.relay.Away: The log did not answer, or does not hold it.
        """
        event = self._event(action, event_pb2.Object(kind="configuration", id="edge"))
        event.details.digest = digest
        if action == ROLLED_BACK:
            event.outcome, event.reason = event_pb2.OUTCOME_FAILED, REFUSED
        await self._append((action, digest), event)

    async def found(self, finding: Finding) -> None:
        """Return when the log holds the result of a live check.

        Raises:
            services.kit.relay.Away: The log did not answer, or does not hold it.
        """
        event = self._event(CHECK_ACTION, event_pb2.Object())
        describe(event, finding, ROLE)
        await self._append((finding.check, finding.state, str(finding.measured)), event)

    async def _append(self, key: tuple[str, ...], event: event_pb2.Event) -> None:
        async with self._turn:
            if not self._pending or self._pending[-1][0] != key:
                self._pending.append((key, event.SerializeToString(deterministic=True)))
            if self._predecessor is None:
                self._predecessor, _ = await self._sender.head()
            events = [data for _, data in self._pending]
            self._settle(await self._sender.append(self._epoch, self._predecessor, self._held + 1, events))

    def _settle(self, highest: int) -> None:
        if highest < self._held + len(self._pending):
            raise Away("the log holds less than was sent")
        self._held += len(self._pending)
        self._pending.clear()

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
