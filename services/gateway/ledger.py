"""Owns the gateway's records in the audit log. It has no store, so each record waits for the log's answer.

A configuration that cannot be recorded is not pushed. Every start is an epoch of its own that names the one before, as
audit tells it; numbers begin at 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.kit.relay import Away
from valv.audit.v1 import event_pb2

if TYPE_CHECKING:
    from services.kit.clock import Clock
    from services.kit.ids import Ids
    from services.kit.relay import Sender

PUSHED, ROLLED_BACK = "gateway.config.push", "gateway.config.rollback"
REFUSED = "CONFIGURATION_REFUSED"


class Ledger:
    """Appends one event at a time. Not for concurrent use."""

    def __init__(self, sender: Sender, clock: Clock, ids: Ids) -> None:
        """Take the way to the log; nothing is sent yet."""
        self._sender, self._clock, self._ids = sender, clock, ids
        self._epoch = ids.new("epo")
        self._predecessor: str | None = None
        self._held = 0
        self._pending: list[tuple[str, str, bytes]] = []

    async def record(self, action: str, digest: str) -> None:
        """Return when the log holds the event. Asked again after a failure, it sends the same record again.

        Raises:
            services.kit.relay.Away: The log did not answer, or does not hold it.
        """
        if not self._pending or self._pending[-1][:2] != (action, digest):
            self._pending.append((action, digest, self._event(action, digest)))
        if self._predecessor is None:
            self._predecessor, _ = await self._sender.head()
        events = [event for _, _, event in self._pending]
        highest = await self._sender.append(self._epoch, self._predecessor, self._held + 1, events)
        self._settle(highest)

    def _settle(self, highest: int) -> None:
        if highest < self._held + len(self._pending):
            raise Away("the log holds less than was sent")
        self._held += len(self._pending)
        self._pending.clear()

    def _event(self, action: str, digest: str) -> bytes:
        event = event_pb2.Event(
            event_id=self._ids.new("evt"),
            action=action,
            outcome=event_pb2.OUTCOME_FAILED if action == ROLLED_BACK else event_pb2.OUTCOME_SUCCESS,
            reason=REFUSED if action == ROLLED_BACK else "",
            actor=event_pb2.Actor(kind=event_pb2.Actor.KIND_SERVICE, id="gateway"),
            object=event_pb2.Object(kind="configuration", id="edge"),
            details=event_pb2.Details(digest=digest),
        )
        event.time.FromDatetime(self._clock.now())
        return event.SerializeToString(deterministic=True)
