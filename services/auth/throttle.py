"""Owns how often somebody may try. Must never lock an owner out for good, nor tell who has an account.

Attempts are counted before the work and taken back when they succeed, so that parallel attempts cannot pass a limit
together. One that finds a limit reached waits for those still in flight in this process, which may yet succeed: honest
attempts at once do not refuse each other. What is refused is counted nowhere: nobody uses up another's limit with it.
What is counted is named by a keyed hash: counters reveal no address of anybody.
"""

from __future__ import annotations

import ipaddress
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from services.auth.errors import THROTTLED
from services.auth.flights import Flights
from services.auth.throttle_rules import Action
from services.kit.faults import Code, Fault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from services.auth.throttle_rules import Consecutive, Limit, Rule, Rules
    from services.kit.clock import Clock

_OURS = {Code.UNAVAILABLE, Code.INTERNAL, Code.DEADLINE_EXCEEDED, Code.UNKNOWN, Code.DATA_LOSS}
_FOR_EVER = datetime(9999, 1, 1, tzinfo=UTC)
_NOBODYS = timedelta(days=30)
_NOBODYS_DIGITS = 4
_IPV6_SITE = 64


@dataclass(frozen=True)
class Bucket:
    """One thing to count in: its blinded name, how many fit, and when it may be dropped."""

    name: str
    limit: int
    expires: datetime


@dataclass(frozen=True)
class Taken:
    """What became of an attempt to count: the buckets that were full (none: it was counted), and where it was asked."""

    full: frozenset[str]
    counters: Counters


class Counters(Protocol):
    """Counters that forget themselves."""

    async def take(self, buckets: Sequence[Bucket]) -> Taken:
        """Count one in each bucket if none of them is full, in one step."""
        ...

    async def forgive(self, names: Sequence[str]) -> None:
        """Take one back from each bucket; a count never goes below 0."""
        ...


class Series(Protocol):
    """Counters that must not be lost: always in SQL."""

    async def count(self, name: str) -> int:
        """Return a count."""
        ...

    async def add(self, name: str, expires: datetime) -> None:
        """Count one more; it may be dropped after that time."""
        ...

    async def clear(self, name: str) -> None:
        """Begin again from 0."""
        ...


class Decoy(Protocol):
    """Work that leaves nothing."""

    async def commit(self) -> None:
        """Commit something that means nothing to the database that records are written to."""
        ...


@dataclass(frozen=True)
class Who:
    """Who tries, on whose account. Must be built alike for accounts that do not exist."""

    account: str
    """What the account is called by whoever tries."""
    address: str = ""
    """The client's, as the gateway saw it."""
    device: str = ""
    """A device, session or passkey that was just found to be the account's own; "" for a stranger."""
    exists: bool = True
    """Whether there is such an account. Decides nothing but where its series of failures is kept."""


class Throttle:
    """Counts attempts by the rules of the throttle file."""

    def __init__(
        self,
        rules: Rules,
        counters: Counters,
        series: Series,
        clock: Clock,
        blind: Callable[[str], str],
        decoy: Decoy,
    ) -> None:
        """Take the counters, the keyed hash that names what is counted, and a commit that means nothing."""
        self._rules, self._counters, self._series, self._clock = rules, counters, series, clock
        self._blind, self._decoy, self._flights = blind, decoy, Flights()

    @asynccontextmanager
    async def attempt(self, action: Action, who: Who) -> AsyncIterator[None]:
        """Admit one attempt at a credential. It stays counted unless the block ends well.

        Raises:
            Fault: THROTTLED, with the time when the window ends.
        """
        rule = self._rules.of(action)
        failures = 0 if rule.consecutive is None else await self._consecutive(action, rule.consecutive, who)
        names, counters = await self._admit(action, who)
        try:
            with self._flights.of(names) as flight:
                yield
                await counters.forgive(names)
                flight.succeeded = True
        except Fault as fault:
            if rule.consecutive is not None and fault.reason.code not in _OURS:
                expires = _FOR_EVER if who.exists else self._clock.now() + _NOBODYS
                await self._series.add(self._series_name(action, who), expires)
            raise
        if failures:
            await self._series.clear(self._series_name(action, who))

    async def spend(self, action: Action, who: Who) -> None:
        """Count one use, which is never taken back.

        Raises:
            Fault: THROTTLED, with the time when the window ends.
        """
        await self._admit(action, who)

    async def allows(self, action: Action, who: Who) -> bool:
        """Count one use if it is within its limits; tell whether, for what must be left out in silence."""
        return not (await self._counters.take(list(self._buckets(action, who)))).full

    async def reopen(self, account: str) -> None:
        """Forget the failures in a row of an account whose owner has just proven to be it by other means."""
        for action in Action:
            if self._rules.of(action).consecutive is not None:
                await self._series.clear(self._series_name(action, Who(account)))

    async def pretend(self) -> None:
        """Take as long as a refusal's record: done in its place when the refusal is only counted, in memory."""
        await self._decoy.commit()

    async def _admit(self, action: Action, who: Who) -> tuple[list[str], Counters]:
        while True:
            buckets = list(self._buckets(action, who))
            taken = await self._counters.take(buckets)
            if not taken.full:
                return [bucket.name for bucket in buckets], taken.counters
            if not await self._flights.landing(taken.full):
                ends = max(bucket.expires for bucket in buckets if bucket.name in taken.full)
                raise Fault(THROTTLED, retry_after=(ends - self._clock.now()).total_seconds())

    async def _consecutive(self, action: Action, limits: Consecutive, who: Who) -> int:
        failures = await self._series.count(self._series_name(action, who))
        if failures >= (limits.owners if who.device else limits.strangers):
            longest = max(limit.seconds for _, _, limit in _limits(self._rules.of(action), who))
            raise Fault(THROTTLED, retry_after=longest - self._clock.now().timestamp() % longest)
        return failures

    def _buckets(self, action: Action, who: Who) -> Iterator[Bucket]:
        now = self._clock.now().timestamp()
        for scope, whose, limit in _limits(self._rules.of(action), who):
            window = int(now // limit.seconds)
            name = self._blind(f"{action}\x00{scope}\x00{whose}\x00{limit.seconds}\x00{window}")
            yield Bucket(name, limit.count, datetime.fromtimestamp((window + 1) * limit.seconds, UTC))

    def _series_name(self, action: Action, who: Who) -> str:
        """Name an account's own series. Accounts that do not exist share some, so that inventing them fills no disk."""
        name = self._blind(f"{action}\x00consecutive\x00{who.account}")
        return name if who.exists else f"nobody-{name[:_NOBODYS_DIGITS]}"


def _limits(rule: Rule, who: Who) -> Iterator[tuple[str, str, Limit]]:
    if who.device:
        scopes = {"device": (rule.device, f"{who.account}\x00{who.device}")}
    else:
        site = _site(who.address)
        scopes = {
            "account": (rule.account, who.account),
            "address": (rule.address, site),
            "pair": (rule.pair, f"{who.account}\x00{site}"),
            "total": (rule.total, ""),
        }
    for scope, (limits, whose) in scopes.items():
        for limit in limits:
            yield scope, whose, limit


def _site(address: str) -> str:
    """Return who a client address stands for: in IPv6 whoever has one has the other 2^64 of its network."""
    parsed = ipaddress.ip_address(address) if address else None
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Network((parsed, _IPV6_SITE), strict=False))
    return address
