"""The running of live checks: each on its own schedule, with jitter, and within its time.

Owns when a check runs and what is made of it. A check that raises or takes too long is unknown, never kept; what it
measured is recorded as an entry, counts only. Must never look at anything itself.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from services.kit.practices import PRACTICES, Practice
from valv.audit.v1 import event_pb2

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from services.kit.telemetry import Log

KEPT, BROKEN, UNKNOWN = "kept", "broken", "unknown"
CHECK_ACTION, CHECK_KIND = "practice.check", "practice"
SOON_SECONDS = 10.0
"""A process that starts runs each check within so many seconds."""
AGAIN_SECONDS = 15.0
"""After an unknown result, or one that was not recorded, a check runs again within so many."""
JITTER = 0.1


class UnknownError(Exception):
    """A check cannot tell: what it looks at cannot be seen."""


@dataclass(frozen=True)
class ChecksConfig:
    """How the live checks run.

    Attributes:
        at_least_every_seconds: No check waits longer than this, nor than its own period.
        certificate_days: A certificate must be valid for so many days more.
        log_file: Where this process's standard error goes, if that is a file; it is searched too.
    """

    at_least_every_seconds: float = 86400.0
    certificate_days: int = 7
    log_file: Path | None = None

    def __post_init__(self) -> None:
        """Refuse a rush, and a threshold that is none."""
        if not 1 <= self.at_least_every_seconds <= 86400:  # noqa: PLR2004 - a second to a day
            raise ValueError("checks run each 1 to 86400 seconds")
        if self.certificate_days < 0:
            raise ValueError("certificate_days is no less than 0")


@dataclass(frozen=True, slots=True)
class Check:
    """A check as its service runs it: its name in the table, what measures, and another threshold than the table's."""

    name: str
    measure: Callable[[], Awaitable[int]]
    threshold: int | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found: its state, and what it measured unless that is unknown."""

    check: str
    state: str
    measured: int | None
    threshold: int


def describe(event: event_pb2.Event, finding: Finding, role: str) -> None:
    """Make an event say what a check of ours found."""
    event.actor.kind, event.actor.id = event_pb2.Actor.KIND_SERVICE, role
    event.object.kind, event.object.id = CHECK_KIND, finding.check
    event.details.state, event.details.threshold = finding.state, finding.threshold
    if finding.measured is not None:
        event.details.count = max(0, finding.measured)


class Checks:
    """Runs a process's checks."""

    def __init__(
        self,
        checks: Iterable[Check],
        found: Callable[[Finding], Awaitable[None]],
        show: Callable[[Finding], None],
        config: ChecksConfig,
        log: Log,
        chance: Callable[[], float],
    ) -> None:
        """Take the checks, where results go, how often, and numbers in [0, 1): replicas shall not run together.

        Raises:
            KeyError: A check is not in the table.
        """
        self._checks = {PRACTICES[check.name]: check for check in checks}
        self._found, self._show, self._config = found, show, config
        self._log, self._chance = log, chance
        self._broken: dict[str, bool] = {}
        self._unknown: set[str] = set()

    async def run(self) -> None:
        """Run the checks until cancelled."""
        async with asyncio.TaskGroup() as group:
            for practice in self._checks:
                group.create_task(self._keep(practice))
            group.create_task(asyncio.Event().wait())  # a process without checks has not failed

    async def once(self, name: str) -> Finding:
        """Run one check now and record what it found.

        Raises:
            Exception: Its result could not be recorded.
        """
        practice = PRACTICES[name]
        finding = await self._measured(practice, self._checks[practice])
        self._say(finding)
        self._show(finding)
        if finding.state != UNKNOWN or name not in self._unknown:  # recorded once, however often it is tried
            await self._found(finding)
        (self._unknown.add if finding.state == UNKNOWN else self._unknown.discard)(name)
        return finding

    async def _keep(self, practice: Practice) -> None:
        pause = SOON_SECONDS * self._chance()
        longest = min(practice.period.total_seconds(), self._config.at_least_every_seconds)
        while True:
            await asyncio.sleep(pause)
            again = longest
            try:
                finding = await self.once(practice.name)
                if finding.state == UNKNOWN:
                    again = min(longest, AGAIN_SECONDS)
            except Exception as error:  # noqa: BLE001 - what is not recorded is unknown to who asks; tried again
                self._log.failure("a check was not recorded", error, check=practice.name)
                again = min(longest, AGAIN_SECONDS)
            pause = again * (1 - JITTER * self._chance())

    async def _measured(self, practice: Practice, check: Check) -> Finding:
        threshold = practice.threshold if check.threshold is None else check.threshold
        try:
            async with asyncio.timeout(practice.seconds):
                measured = await check.measure()
        except (UnknownError, OSError, TimeoutError) as error:
            self._log.warning("a check cannot tell", check=practice.name, type=type(error).__name__)
            return Finding(practice.name, UNKNOWN, None, threshold)
        except Exception as error:  # noqa: BLE001 - whatever kept it from measuring: nothing is known
            self._log.failure("a check could not measure", error, check=practice.name)
            return Finding(practice.name, UNKNOWN, None, threshold)
        return Finding(practice.name, KEPT if practice.holds(measured, threshold) else BROKEN, measured, threshold)

    def _say(self, finding: Finding) -> None:
        """Say once that a practice broke, and once that it is kept again."""
        if finding.state == UNKNOWN:
            return
        broken, self._broken[finding.check] = self._broken.get(finding.check, False), finding.state == BROKEN
        if finding.state == BROKEN and not broken:
            self._log.error("practice broken", check=finding.check, count=finding.measured)
        elif finding.state == KEPT and broken:
            self._log.info("practice kept again", check=finding.check, count=finding.measured)
