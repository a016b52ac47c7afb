"""The audit service's own events: it is recorded like everyone else, through its own outbox.

Owns what those events say. Never writes the log itself.
"""

from sqlalchemy.ext.asyncio import AsyncConnection

from services.kit.checks import CHECK_KIND
from services.kit.outbox import Outbox
from valv.audit.v1 import event_pb2

ROLE = "audit"


class Journal:
    """Records what the service does by itself."""

    def __init__(self, outbox: Outbox) -> None:
        """Take the service's outbox."""
        self._outbox = outbox

    async def started(self) -> None:
        """Record that the log takes records from now on."""
        await self._outbox.record(self._event("audit.log.start"))

    async def stopped(self) -> None:
        """Record that it stops."""
        await self._outbox.record(self._event("audit.log.stop"))

    async def alarm_opened(self, connection: AsyncConnection, producer: str, reason: str, missing: int) -> None:
        """Record, with the alarm, that a producer's records were refused and how many are missing."""
        event = self._event("audit.alarm.open")
        event.outcome, event.reason = event_pb2.OUTCOME_FAILED, reason
        event.object.kind, event.object.id = "producer", producer
        event.details.count = missing
        await self._outbox.add(connection, event)

    async def alarm_closed(self, connection: AsyncConnection, producer: str) -> None:
        """Record that a producer's records follow each other again."""
        event = self._event("audit.alarm.close")
        event.object.kind, event.object.id = "producer", producer
        await self._outbox.add(connection, event)

    async def alert_opened(self, connection: AsyncConnection, check: str, reason: str) -> None:
        """Record, with the alert, that a check of a promise is broken or not known."""
        event = self._event("practice.alert.open")
        event.outcome, event.reason = event_pb2.OUTCOME_FAILED, reason
        event.object.kind, event.object.id = CHECK_KIND, check
        await self._outbox.add(connection, event)

    async def alert_closed(self, connection: AsyncConnection, check: str) -> None:
        """Record that this has ended."""
        event = self._event("practice.alert.close")
        event.object.kind, event.object.id = CHECK_KIND, check
        await self._outbox.add(connection, event)

    async def siem_started(self, sink: str) -> None:
        """Record that this process begins to export the log to a sink."""
        event = self._event("audit.siem.start")
        event.object.kind, event.object.id = "sink", sink
        await self._outbox.record(event)

    async def siem_sent(self, connection: AsyncConnection, sink: str, opened: int) -> None:
        """Record how many bodies were opened for a sink since the last such record."""
        event = self._event("audit.siem.send")
        event.object.kind, event.object.id = "sink", sink
        event.details.count = opened
        await self._outbox.add(connection, event)

    async def hold_cleared(self, connection: AsyncConnection, hold_id: str, dropped: int) -> None:
        """Record that what only a released hold kept is gone: so many bodies, and its key."""
        event = self._event("audit.hold.clear")
        event.object.kind, event.object.id = "hold", hold_id
        event.details.count = dropped
        await self._outbox.add(connection, event)

    async def swept(self, connection: AsyncConnection, cooled: int, expired: int) -> None:
        """Record that retention was applied: so many bundles went to the cold store, so many records away."""
        event = self._event("audit.retention.sweep")
        event.details.count = expired
        await self._outbox.add(connection, event)
        if cooled:
            event = self._event("audit.retention.cool")
            event.details.count = cooled
            await self._outbox.add(connection, event)

    async def pruned(self, connection: AsyncConnection, minimum: int) -> str:
        """Record that the public log serves nothing below this index any more; return the record's event id."""
        event = self._event("audit.retention.prune")
        event.details.count = minimum
        await self._outbox.add(connection, event)
        return event.event_id

    async def shredded(self, connection: AsyncConnection, month: str) -> None:
        """Record that the key of a month, such as "2026-11", is destroyed."""
        event = self._event("audit.retention.shred")
        event.details.version = month
        await self._outbox.add(connection, event)

    async def witness_refused(self, name: str, reason: str) -> None:
        """Record that a witness will not cosign the log."""
        event = self._event("audit.witness.refuse")
        event.outcome, event.reason = event_pb2.OUTCOME_FAILED, reason
        event.object.kind, event.object.id = "witness", name
        await self._outbox.record(event)

    async def recovery_began(self, connection: AsyncConnection, missing: int) -> None:
        """Record that the log holds less than it had signed, and how many entries await their record."""
        event = self._event("audit.recovery.begin")
        event.details.count = missing
        await self._outbox.add(connection, event)

    async def recovery_ended(self, connection: AsyncConnection, regained: int, lost: int) -> None:
        """Record that the log goes on, how many records were regained, and how many entries are left without one."""
        event = self._event("audit.recovery.end")
        event.details.count, event.details.lost = regained, lost
        await self._outbox.add(connection, event)

    async def filling(self, count: int) -> None:
        """Record that up to `count` bodies are opened, to make them findable."""
        event = self._event("audit.index.fill")
        event.details.count = count
        await self._outbox.record(event)

    async def read_by(
        self, connection: AsyncConnection, operator: str, customer: str, cause: str, count: int, request_id: str
    ) -> None:
        """Record, with a search, that an operator was shown so many of a customer's events, and why."""
        event = self._outbox.event("audit.operator.read")
        event.actor.kind, event.actor.id = event_pb2.Actor.KIND_OPERATOR, operator
        event.subject, event.request_id = customer, request_id
        event.details.count, event.details.cause = count, cause
        await self._outbox.add(connection, event)

    def _event(self, action: str) -> event_pb2.Event:
        event = self._outbox.event(action)
        event.actor.kind, event.actor.id = event_pb2.Actor.KIND_SERVICE, ROLE
        return event
