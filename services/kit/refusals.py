"""Owns the counting of refusals of strangers: one record when a window opens, one with the count when it closes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.kit.faults import Fault
from valv.audit.v1 import event_pb2

if TYPE_CHECKING:
    from services.kit.clock import Clock
    from services.kit.outbox import Outbox
    from services.kit.telemetry import Log

WINDOW_SECONDS = 60
_Key = tuple[str, str, "event_pb2.Outcome.ValueType"]


@dataclass
class _Window:
    opened: float
    count: int = 0


class Refusals:
    """Counts refusals by (action, reason, outcome). The keys come from contracts and catalogs, so they are few."""

    def __init__(self, outbox: Outbox, clock: Clock, log: Log) -> None:
        """Take where the records go."""
        self._outbox, self._clock, self._log = outbox, clock, log
        self._windows: dict[_Key, _Window] = {}

    async def count(self, action: str, reason: str, outcome: event_pb2.Outcome.ValueType) -> None:
        """Count one refusal; the first of a window is recorded before this returns."""
        key = (action, reason, outcome)
        window = self._windows.get(key)
        if window is not None:
            window.count += 1
            return
        self._windows[key] = _Window(self._clock.monotonic())
        await self._outbox.record(self._event(key, 1))

    async def run(self) -> None:
        """Close windows for ever."""
        while True:
            await asyncio.sleep(1)
            await self.close(self._clock.monotonic() - WINDOW_SECONDS)

    async def close(self, opened_before: float = float("inf")) -> None:
        """Close the windows opened before that time; each tells how many refusals followed the first."""
        for key, window in list(self._windows.items()):
            if window.opened > opened_before:
                continue
            del self._windows[key]
            if window.count:
                try:
                    await self._outbox.record(self._event(key, window.count))
                except Fault as fault:
                    self._log.error(
                        "a count of refusals was not recorded", reason=fault.reason.name, count=window.count
                    )

    def _event(self, key: _Key, count: int) -> event_pb2.Event:
        action, reason, outcome = key
        event = self._outbox.event(action, outcome)
        event.reason = reason
        event.actor.kind = event_pb2.Actor.KIND_NOBODY
        event.details.count = count
        event.details.window_seconds = WINDOW_SECONDS
        return event
