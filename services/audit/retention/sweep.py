"""The sweep: what is not at hand any more goes to the cold store, what is over goes away, daily.

Owns the order: bodies are cold, and read back, before their rows lose them; bodies and index rows go before the months'
keys; the minimum index rises last. One bundle of entries at a time, each in a transaction that sees the holds in force.
What a hold covers is left where it is. Never touches the tree: the leaf of an entry stays for ever.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from services.audit.checkpoint import Checkpoint
from services.audit.retention.cold import ColdBodies
from services.audit.retention.holds import Hold, covering
from services.audit.retention.policy import RetentionConfig, months_before
from services.audit.retention.security import MONTH, period
from services.audit.store import HoldsChangedError
from services.audit.tiles import WIDTH
from services.kit.checks import UnknownError
from services.kit.clock import Clock

DAY = timedelta(days=1)


class BodiesChangedError(Exception):
    """The bodies of a bundle are not what was copied: an erasure came between."""


@dataclass(frozen=True, slots=True)
class State:
    """How far retention has come: indexes, each a multiple of a bundle's width."""

    cold_below: int
    expired_below: int
    minimum: int
    swept: datetime | None


@dataclass(frozen=True, slots=True)
class Row:
    """An entry of a bundle: whose, since when, and its body (empty: none here)."""

    index: int
    subject: str
    sealed: bytes
    arrived: datetime


@dataclass(frozen=True, slots=True)
class Preview:
    """What a sweep would do now."""

    cold_bundles: int
    expired_entries: int
    held_entries: int
    """Of these, so many are covered by holds and stay."""


class Store(Protocol):
    """The rows that retention works on; each method is one transaction."""

    async def state(self) -> State:
        """Return how far retention has come."""

    async def bundle(self, number: int) -> tuple[list[Row], datetime | None]:
        """Return the entries of a bundle, in order, and when the last of them arrived.

        A restore may have lost some of them. When it has lost all, the first entry after them tells (None: none does).
        """

    async def cool(self, number: int, copied: Mapping[int, bytes], month: str) -> None:
        """Take the bodies that were copied out of the rows; raise BodiesChangedError when they are others by now."""

    async def cold_period(self, bundle: int) -> str | None:
        """Return the month whose key seals the bundle, or None when it is not cold."""

    async def expire(
        self, number: int, kept: Collection[int], thawed: Mapping[int, bytes], active: Collection[str]
    ) -> None:
        """Destroy a bundle's bodies and index rows but for those `kept`, whose bodies come back from the cold store.

        Raises:
            HoldsChangedError: Other holds than `active` are in force, or a release has put the sweep back.
        """

    async def expired_cold(self) -> list[int]:
        """Return the bundles whose objects are to be deleted."""

    async def forget_cold(self, number: int) -> None:
        """Keep that a bundle's object is deleted."""

    async def periods_in_use(self) -> set[str]:
        """Return the months whose keys something that is kept is sealed under."""

    async def raise_minimum(self, now: datetime) -> None:
        """Raise the minimum index to all that has expired before the first entry that was kept; say it now and then."""

    async def finish(self, now: datetime) -> None:
        """Forget which requests of earlier days have entries; keep that the sweep is done, and record it."""

    async def shred(self, month: str) -> None:
        """Record that a month's key is about to be destroyed."""

    async def preview(self, cold_before: datetime | None, keep_before: datetime, holds: Sequence[Hold]) -> Preview:
        """Count what a sweep would do (nothing gets cold without `cold_before`)."""


class Holds(Protocol):
    """The legal holds."""

    async def active(self) -> list[Hold]:
        """Return the holds that are in force."""


class Keys(Protocol):
    """The keys of the months."""

    async def living(self) -> list[str]:
        """Return the owners that have a key."""

    async def destroy(self, owner: str) -> bool:
        """Destroy the month's key for good; tells whether there was one."""


class Heads(Protocol):
    """The latest signed checkpoint."""

    async def latest(self) -> tuple[bytes, Checkpoint] | None:
        """Return it, or None before the first."""


class Sweeper:
    """Applies the retention policy."""

    def __init__(
        self,
        store: Store,
        holds: Holds,
        keys: Keys,
        cold: ColdBodies,
        heads: Heads,
        policy: RetentionConfig,
        clock: Clock,
    ) -> None:
        """Take the rows, the holds, the months' keys, the cold store, the signed head and the policy."""
        self._store, self._holds, self._keys = store, holds, keys
        self._cold, self._heads, self._policy, self._clock = cold, heads, policy, clock

    async def due(self, early: timedelta = timedelta(0)) -> bool:
        """Tell whether a day has passed since the last sweep, or will have in `early`; or the clock was wrong then."""
        swept = (await self._store.state()).swept
        return swept is None or abs(self._clock.now() - swept) >= DAY - early

    async def age_minutes(self) -> int:
        """Return how many whole minutes lie between now and the end of the last sweep.

        Raises:
            UnknownError: There was none yet.
        """
        swept = (await self._store.state()).swept
        if swept is None:
            raise UnknownError
        return abs(self._clock.now() - swept) // timedelta(minutes=1)

    async def sweep(self, go_on: Callable[[], Awaitable[bool]]) -> bool:
        """Sweep; tells whether it came to its end. `go_on` is asked before each bundle.

        Raises:
            ColdError: The cold store is away; what was done stays done.
        """
        for work in (self._cool, self._expire):
            if not await work(go_on):
                return False
        await self._delete_cold()
        await self._shred()
        if self._policy.prune:
            await self._store.raise_minimum(self._clock.now())
        await self._store.finish(self._clock.now())
        return True

    async def preview(self) -> tuple[State, Preview]:
        """Return how far retention has come, and what a sweep would do now. Changes nothing."""
        cold = self._before(self._policy.at_hand_months) if self._cold.available else None
        keep = self._before(self._policy.keep_months)
        return await self._store.state(), await self._store.preview(cold, keep, await self._holds.active())

    def _before(self, months: int) -> datetime:
        return months_before(self._clock.now(), months)

    async def _older(self, number: int, before: datetime) -> list[Row] | None:
        """Return a bundle's entries when it is whole, signed, and older than that; else None."""
        latest = await self._heads.latest()
        if latest is None or (number + 1) * WIDTH > latest[1].size:
            return None
        rows, youngest = await self._store.bundle(number)
        return rows if youngest is not None and youngest < before else None

    async def _cool(self, go_on: Callable[[], Awaitable[bool]]) -> bool:
        if not self._cold.available:
            return True
        before = self._before(self._policy.at_hand_months)
        number = (await self._store.state()).cold_below // WIDTH
        while (rows := await self._older(number, before)) is not None:
            if not await go_on():
                return False
            bodies = {row.index % WIDTH: row.sealed for row in rows if row.sealed}
            month = period(rows[-1].arrived if rows else before)
            if bodies:
                await self._cold.write(number, month, bodies)
            try:
                await self._store.cool(number, bodies, month)
            except BodiesChangedError:
                continue  # copied again
            number += 1
        return True

    async def _expire(self, go_on: Callable[[], Awaitable[bool]]) -> bool:
        before = self._before(self._policy.keep_months)
        number = (await self._store.state()).expired_below // WIDTH
        while (rows := await self._older(number, before)) is not None:
            if not await go_on():
                return False
            active = await self._holds.active()
            kept = {row.index for row in rows if covering(active, row.subject, row.arrived) is not None}
            try:
                thawed = await self._thaw(number, kept)
                await self._store.expire(number, kept, thawed, {hold.hold_id for hold in active})
            except HoldsChangedError:  # judged again, from where a release has put it back to
                number = (await self._store.state()).expired_below // WIDTH
                continue
            number += 1
        return True

    async def _thaw(self, number: int, kept: Collection[int]) -> Mapping[int, bytes]:
        month = await self._store.cold_period(number) if kept else None
        if not month:
            return {}
        bodies = await self._cold.read(number, month)
        return {index: bodies[index % WIDTH] for index in kept if index % WIDTH in bodies}

    async def _delete_cold(self) -> None:
        for number in await self._store.expired_cold():
            await self._cold.delete(number)
            await self._store.forget_cold(number)

    async def _shred(self) -> None:
        """Destroy the keys of the months that are over, unless a hold still keeps something that they seal."""
        over = period(self._before(self._policy.keep_months))
        in_use = await self._store.periods_in_use()
        for month in await self._keys.living():
            if MONTH.fullmatch(month) and month < over and month not in in_use:
                await self._store.shred(month)
                await self._keys.destroy(month)
