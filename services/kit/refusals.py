"""Owns the counting of refusals before anybody was authenticated: a flood of them cannot fill the log.

The first of a window is recorded at once, those that follow by their number when it closes. Refusals about an account
have a window of that account's own, so that its owner sees how many there were. So many windows of accounts are open
at once and no more: beyond them, refusals are counted without saying whom they were about.
"""

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
MAX_SUBJECTS = 1000
"""Windows of accounts open at once: with it, how many records a minute a flood can cause is bounded."""


@dataclass(frozen=True)
class _Key:
    action: str
    reason: str
    outcome: event_pb2.Outcome.ValueType
    subject: str = ""


@dataclass
class _Window:
    opened: float
    count: int = 0


class Refusals:
    """Counts refusals by (action, reason, outcome), which come from contracts and are few, and by subject."""

    def __init__(self, outbox: Outbox, clock: Clock, log: Log, most: int = MAX_SUBJECTS) -> None:
        """Take where the records go, and how many windows of accounts may be open."""
        self._outbox, self._clock, self._log, self._most = outbox, clock, log, most
        self._windows: dict[_Key, _Window] = {}
        self._subjects = 0

    async def count(
        self, action: str, reason: str, outcome: event_pb2.Outcome.ValueType, about: event_pb2.Event | None = None
    ) -> bool:
        """Count one refusal; the first of a window is recorded before this returns.

        Args:
            action: What was refused.
            reason: Why.
            outcome: Denied or failed.
            about: The record of this refusal, when it is known whom it concerns.

        Returns:
            Whether it was recorded, and not only counted.
        """
        key = self._key(_Key(action, reason, outcome, "" if about is None else about.subject))
        window = self._windows.get(key)
        if window is not None:
            window.count += 1
            return False
        self._windows[key] = _Window(self._clock.monotonic())
        self._subjects += bool(key.subject)
        event = about if about is not None and key.subject else self._event(key)
        event.details.count, event.details.window_seconds = 1, WINDOW_SECONDS
        await self._outbox.record(event)
        return True

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
            self._subjects -= bool(key.subject)
            if window.count:
                await self._tell(key, window.count)

    async def _tell(self, key: _Key, count: int) -> None:
        event = self._event(key)
        event.details.count, event.details.window_seconds = count, WINDOW_SECONDS
        try:
            await self._outbox.record(event)
        except Fault as fault:
            self._log.error("a count of refusals was not recorded", reason=fault.reason.name, count=count)

    def _key(self, key: _Key) -> _Key:
        if not key.subject or key in self._windows or self._subjects < self._most:
            return key
        return _Key(key.action, key.reason, key.outcome)

    def _event(self, key: _Key) -> event_pb2.Event:
        event = self._outbox.event(key.action, key.outcome)
        event.reason, event.subject = key.reason, key.subject
        event.actor.kind = event_pb2.Actor.KIND_NOBODY
        return event
