"""Owns an erasure's states and what people and services say about one: request, cancel, acknowledge.

An erasure is asked for, waits for its period of grace, and is then carried out in steps (``eraser.py``) that each
commit whole. What stays at the end is a row of opaque ids: the tombstone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from services.auth.errors import ERASURE_BEGUN, ERASURE_NOT_REQUESTED
from services.auth.mail import ERASURE_REQUESTED, Outgoing
from services.kit.faults import NOT_FOUND, Fault

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from services.auth.accounts import Trail
    from services.auth.store import Readable, Work
    from services.kit.clock import Clock
    from services.kit.ids import Ids

LOG = "audit"
"""The service whose turn is last: its keys open the proofs of what all others did."""
MOST_BLOCKED = 16


class State(StrEnum):
    """Where an erasure stands."""

    REQUESTED = "requested"
    DATA = "data"
    TELLING = "telling"
    LOG = "log"
    ERASED = "erased"


class Phase(StrEnum):
    """Whose turn an order is."""

    DATA = "data"
    LOG = "log"


@dataclass(frozen=True)
class Erasure:
    """An erasure that was asked for."""

    account_id: str
    state: State
    requested: datetime
    due: datetime


@dataclass(frozen=True)
class Order:
    """A numbered order to the services."""

    sequence: int
    account_id: str
    phase: Phase


@dataclass(frozen=True)
class Blocked:
    """Things of one kind that a service had to keep."""

    kind: str
    count: int
    cause: str
    until: datetime | None


@dataclass(frozen=True)
class Part:
    """What one service has done."""

    account_id: str
    service: str
    event_id: str
    done: datetime
    blocked: Sequence[Blocked] = ()


@dataclass(frozen=True)
class ErasureConfig:
    """How long an erasure can be taken back, and which services have to acknowledge before the log's turn."""

    grace_seconds: int = 7 * 86400
    services: tuple[str, ...] = field(default=("files", "billing"))

    def __post_init__(self) -> None:
        if self.grace_seconds < 0 or not self.services or LOG in self.services:
            raise ValueError("erasure needs a grace of at least 0 seconds and the services that keep data but the log")

    @property
    def grace(self) -> timedelta:
        """The period of grace."""
        return timedelta(seconds=self.grace_seconds)


class Erasures:
    """Takes requests and acknowledgements."""

    def __init__(self, config: ErasureConfig, clock: Clock, ids: Ids) -> None:
        """Take the collaborators."""
        self._config, self._clock, self._ids = config, clock, ids

    async def request(self, work: Work, account_id: str) -> Erasure:
        """Ask for an erasure and tell the owner by mail; asking again changes nothing and tells nobody."""
        store, now = await work.write(), self._clock.now()
        asked = Erasure(account_id, State.REQUESTED, now, now + self._config.grace)
        if await store.lifecycle.erasures.request(asked):
            mail = Outgoing(self._ids.new("mai"), account_id, ERASURE_REQUESTED, reference="", due=now)
            await store.mail.add(mail)
            return asked
        return await store.lifecycle.erasures.get(account_id) or asked

    async def cancel(self, work: Work, account_id: str) -> None:
        """Take a request back.

        Raises:
            Fault: ERASURE_NOT_REQUESTED or ERASURE_BEGUN.
        """
        store = await work.write()
        if not await store.lifecycle.erasures.cancel(account_id):
            begun = await store.lifecycle.erasures.get(account_id)
            raise Fault(ERASURE_NOT_REQUESTED if begun is None else ERASURE_BEGUN)

    async def get(self, work: Readable, account_id: str) -> Erasure | None:
        """Return what was asked for."""
        async with work.read() as store:
            return await store.lifecycle.erasures.get(account_id)

    async def progress(self, work: Readable, trail: Trail, account_id: str) -> tuple[Erasure, Sequence[Part]]:
        """Return how far an erasure has come, for operators.

        Raises:
            Fault: NOT_FOUND: none was asked for.
        """
        async with work.read() as store:
            found = await store.lifecycle.erasures.get(account_id)
            if found is None:
                raise Fault(NOT_FOUND)
            trail.subject = account_id
            return found, await store.lifecycle.erasures.parts(account_id)

    async def acknowledge(
        self, work: Work, trail: Trail, account_id: str, service: str, event_id: str, blocked: Sequence[Blocked]
    ) -> None:
        """Note that a service has done its part; its latest word counts.

        Raises:
            Fault: NOT_FOUND: it was not asked to.
        """
        store = await work.write()
        found = await store.lifecycle.erasures.get(account_id)
        turn = (State.LOG, State.ERASED) if service == LOG else (State.DATA, State.TELLING, State.LOG, State.ERASED)
        if found is None or found.state not in turn:
            raise Fault(NOT_FOUND)
        trail.subject = account_id
        await store.lifecycle.erasures.acknowledge(Part(account_id, service, event_id, self._clock.now(), blocked))
