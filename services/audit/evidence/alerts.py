"""Alerts: a check that is broken, or of which nothing is known for long, is told to operators until that ends.

Owns when an alert opens and closes. An alert is a row, an entry in the log, a line in the process's log, and a metric;
this is the one place where a service that has fallen silent is noticed. Never runs a check.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Protocol

from opentelemetry.metrics import Meter

from services.audit.practices import State, judge
from services.audit.store import Alert, Evidence
from services.kit.clock import Clock

STEP_SECONDS = 5.0
SILENT = timedelta(minutes=15)
"""How long a check may be unknown before somebody is told: nobody is of a restart, or a store away for a moment."""
BROKEN_REASON, UNKNOWN_REASON = "PRACTICE_BROKEN", "PRACTICE_UNKNOWN"


class Results(Protocol):
    """The latest result of each check."""

    async def evidence(self) -> dict[str, Evidence]:
        """Return them by name."""


class AlertStore(Protocol):
    """The alerts, each change with its entry in one transaction."""

    async def open(self) -> dict[str, Alert]:
        """Return the open alerts by the check they are about."""

    async def raise_(self, check: str, reason: str) -> bool:
        """Open an alert; return False when one is open already for that reason."""

    async def close(self, check: str) -> bool:
        """Close the check's alert; return False when there is none."""


class Log(Protocol):
    """What is said about alerts."""

    def info(self, name: str, **fields: object) -> None:
        """Write a line about ordinary life."""

    def error(self, name: str, **fields: object) -> None:
        """Write a line about something that somebody must look at."""

    def failure(self, name: str, error: BaseException, **fields: object) -> None:
        """Write a line with an exception's type and place."""


class Alerts:
    """Compares the alerts that are open with those that ought to be."""

    def __init__(self, results: Results, store: AlertStore, clock: Clock, log: Log, meter: Meter) -> None:
        """Take the results, the alerts, and where they are told."""
        self._results, self._store, self._clock, self._log = results, store, clock, log
        self._unknown: dict[str, datetime] = {}
        self._gauge = meter.create_gauge("valv.practice.alert", description="1 while an alert is open about a check")

    async def run(self) -> None:
        """Compare until cancelled."""
        while True:
            try:
                await self.step()
            except Exception as error:  # noqa: BLE001 - a store that is away now is asked again
                self._log.failure("alerts could not be compared", error)
            await asyncio.sleep(STEP_SECONDS)

    async def step(self) -> None:
        """Compare once."""
        wanted = self._wanted(await self._results.evidence())
        opened = await self._store.open()
        for check, alert in opened.items():
            if wanted.get(check) != alert.reason and await self._store.close(check):
                self._log.info("practice alert closed", check=check, reason=alert.reason)
                self._gauge.set(0, {"check": check, "reason": alert.reason})
        for check, reason in wanted.items():
            known = opened.get(check)
            if (known is None or known.reason != reason) and await self._store.raise_(check, reason):
                self._log.error("practice alert", check=check, reason=reason)
            self._gauge.set(1, {"check": check, "reason": reason})

    def _wanted(self, evidence: Mapping[str, Evidence]) -> dict[str, str]:
        """Return what there ought to be an alert about, and why."""
        now, wanted = self._clock.now(), {}
        for result in (result for practice in judge(evidence, now) for result in practice.results):
            name = result.check.name
            if result.state is not State.UNKNOWN:
                self._unknown.pop(name, None)
            elif now - self._unknown.setdefault(name, now) >= SILENT:
                wanted[name] = UNKNOWN_REASON
            if result.state is State.BROKEN:
                wanted[name] = BROKEN_REASON
        return wanted
