"""Owns the end of links: forgotten here at once, revoked at the third party now or as soon as it answers.

What is to be revoked is queued, sealed, in the transaction that forgets the link: a crash in between loses nothing.
After seven days it is given up. Either way there is a record. Must never keep a token for anything but its revocation.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from services.auth.errors import LINK_LOST, LINK_NOT_FOUND
from services.auth.links.connectors import Away, Untrusted
from services.auth.links.store import Revocation
from services.auth.store import StoreAway
from services.kit.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from services.auth.links.connectors import Party
    from services.auth.links.grants import Grant, Vault
    from services.auth.links.linking import Trail
    from services.auth.links.store import Link
    from services.auth.store import Units, Work
    from services.kit.clock import Clock
    from services.kit.ids import Ids

KEPT = timedelta(days=7)
"""How long a revocation is tried."""
LEASE = timedelta(seconds=30)
POLL_SECONDS = 1.0
BATCH = 8
PAUSES = tuple(timedelta(seconds=pause) for pause in (10, 60, 300, 1800, 3600, 7200, 14400, 28800))
"""What follows each failed attempt; the last one is repeated."""


class Outcome(StrEnum):
    """What became of a token at the third party."""

    DONE = "done"
    PENDING = "pending"
    NONE = "none"
    """There was nothing to revoke, or no way to."""


@dataclass(frozen=True)
class _Forgotten:
    revocation: Revocation
    grant: Grant


class Unlinking:
    """Ends links."""

    def __init__(
        self,
        parties: Mapping[str, Party],
        vault: Vault,
        units: Units,
        clock: Clock,
        ids: Ids,
        failed: Callable[[str], None],
    ) -> None:
        """Take the collaborators; ``failed`` is called with what went wrong, a constant, for the log."""
        self._parties, self._vault, self._units = parties, vault, units
        self._clock, self._ids, self._failed = clock, ids, failed

    async def unlink(self, work: Work, trail: Trail, account_id: str, link_id: str) -> Outcome:
        """Forget a link, with the record of it, then revoke its token.

        Raises:
            Fault: LINK_NOT_FOUND or UNAVAILABLE.
        """
        async with work.read() as store:
            link = await store.links.get(account_id, link_id)
        if link is None:
            raise Fault(LINK_NOT_FOUND)
        trail.object("lnk", link_id)
        trail.detail(provider=link.offer.provider)
        forgotten = await self._forgotten(link)
        store = await work.write()
        if not await store.links.remove(account_id, link_id):
            raise Fault(LINK_NOT_FOUND)
        if forgotten is None:
            return Outcome.NONE
        await store.unlinked.add(forgotten.revocation)
        await work.commit()
        try:
            return await self._revoke(forgotten.revocation, forgotten.grant)
        except StoreAway:
            return Outcome.PENDING

    async def unlink_all(self, work: Work, account_id: str) -> int:
        """Forget an account's links in the call's transaction; the queue revokes them. Returns how many there were.

        Raises:
            Fault: UNAVAILABLE.
        """
        async with work.read() as store:
            links = await store.links.connected(account_id)
        forgotten = [await self._forgotten(link) for link in links]
        store = await work.write()
        removed = 0
        for link, one in zip(links, forgotten, strict=True):
            if await store.links.remove(account_id, link.link_id):
                removed += 1
                if one is not None:
                    await store.unlinked.add(one.revocation)
        return removed

    async def withdraw(self, link: Link, grant: Grant) -> None:
        """Revoke a grant that could not be kept, now or as soon as the third party answers.

        Raises:
            Fault: UNAVAILABLE.
        """
        revocation = await self._revocation(link, grant)
        if revocation is None:
            return
        try:
            async with self._units.write() as store:
                await store.unlinked.add(revocation)
            await self._revoke(revocation, grant)
        except StoreAway:
            await self._revoke_unqueued(revocation, grant)

    async def run(self) -> None:
        """Revoke what waits, for ever."""
        reachable = True
        while True:
            try:
                busy = await self.step()
                reachable = True
            except StoreAway:
                if reachable:
                    self._failed("the queue of revocations cannot be used")
                busy = reachable = False
            if not busy:
                await asyncio.sleep(POLL_SECONDS)

    async def step(self) -> bool:
        """Revoke what is due; tell whether there was anything."""
        now = self._clock.now()
        async with self._units.read() as store:
            if not await store.unlinked.is_due(now):
                return False
        async with self._units.write() as store:
            claimed = await store.unlinked.claim(now, now + LEASE, BATCH)
        await asyncio.gather(*(self._again(revocation) for revocation in claimed))
        return bool(claimed)

    async def _forgotten(self, link: Link) -> _Forgotten | None:
        """Return what is to be revoked of a link; None when there is nothing, or no way to."""
        if link.connected is None or link.sealed is None:
            return None
        try:
            grant = await self._vault.open(link.account_id, link.link_id, link.offer.provider, link.sealed)
        except Fault as fault:
            if fault.reason is LINK_LOST:
                return None
            raise
        revocation = await self._revocation(link, grant)
        return None if revocation is None else _Forgotten(revocation, grant)

    async def _revocation(self, link: Link, grant: Grant) -> Revocation | None:
        party = self._parties.get(link.offer.provider)
        if grant.token is None or party is None or not party.revokes:
            return None
        names = (link.account_id, link.link_id, link.offer.provider)
        sealed, now = await self._vault.seal_for_revocation(*names, grant), self._clock.now()
        return Revocation(
            revocation_id=self._ids.new("rvk"),
            link_id=link.link_id,
            account_id=link.account_id,
            provider=link.offer.provider,
            sealed=sealed,
            due=now + LEASE,
            ends=now + KEPT,
        )

    async def _again(self, revocation: Revocation) -> None:
        names = (revocation.account_id, revocation.link_id, revocation.provider)
        try:
            grant = await self._vault.open_for_revocation(*names, revocation.sealed)
        except Fault as fault:
            await self._later(revocation, for_good=fault.reason is LINK_LOST)
            return
        await self._revoke(revocation, grant)

    async def _revoke(self, revocation: Revocation, grant: Grant) -> Outcome:
        party = self._parties.get(revocation.provider)
        if party is None or party.tokens is None or not party.revokes:
            await self._later(revocation, for_good=True)
            return Outcome.NONE
        try:
            await party.tokens.revoke(grant)
        except (Away, Untrusted):
            await self._later(revocation, for_good=False)
            return Outcome.PENDING
        await self._settle(revocation, done=True)
        return Outcome.DONE

    async def _revoke_unqueued(self, revocation: Revocation, grant: Grant) -> None:
        """Ask once: what cannot be queued cannot be asked again."""
        party = self._parties.get(revocation.provider)
        if party is None or party.tokens is None:
            return
        try:
            await party.tokens.revoke(grant)
        except (Away, Untrusted):
            self._failed("a token that could not be kept could not be revoked")

    async def _later(self, revocation: Revocation, *, for_good: bool) -> None:
        now = self._clock.now()
        if for_good or now >= revocation.ends:
            self._failed("a revocation at a third party was given up")
            await self._settle(revocation, done=False)
            return
        self._failed("a third party did not answer a revocation")
        pause = PAUSES[min(revocation.attempts, len(PAUSES) - 1)]
        async with self._units.write() as store:
            await store.unlinked.postpone(revocation.revocation_id, min(now + pause, revocation.ends))

    async def _settle(self, revocation: Revocation, *, done: bool) -> None:
        names = (revocation.account_id, revocation.link_id, revocation.provider)
        async with self._units.write() as store:
            await store.unlinked.remove(revocation.revocation_id)
            await store.ledger.link_revocation(*names, done=done)
