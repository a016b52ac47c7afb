"""Owns the use of links by internal services: only who the consent names, only for what it names, each time recorded.

Tokens that have run out are renewed here, by one caller at a time; a refresh token never leaves auth.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from services.auth.errors import (
    LINK_HAS_NO_TOKEN,
    LINK_LOST,
    LINK_NOT_FOUND,
    LINK_PROVIDER_UNAVAILABLE,
    LINK_USE_NOT_CONSENTED,
)
from services.auth.links.connectors import Away, Refused, Untrusted
from services.auth.links.linking import HOLD, Trail
from services.auth.links.store import Kept
from services.auth.store import StoreAway
from services.kit.faults import UNAVAILABLE, Fault

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime

    from services.auth.links.connectors import Party, TokenConnector
    from services.auth.links.grants import Grant, Vault
    from services.auth.links.store import Link
    from services.auth.store import Units, Work
    from services.kit.clock import Clock

SOON = timedelta(seconds=60)
"""A token with less than this left is renewed first."""
_WAITS = 25
_WAIT_SECONDS = 0.2


class UseTrail(Trail, Protocol):
    """The audit record of the call, and whom it concerns."""

    subject: str


class Use:
    """Gives tokens to internal services."""

    def __init__(
        self,
        parties: Mapping[str, Party],
        vault: Vault,
        units: Units,
        withdraw: Callable[[Link, Grant], Awaitable[None]],
        clock: Clock,
    ) -> None:
        """Take the collaborators; ``withdraw`` revokes a grant whose link is gone."""
        self._parties, self._vault, self._units = parties, vault, units
        self._withdraw, self._clock = withdraw, clock

    async def token(
        self, work: Work, trail: UseTrail, role: str, account_id: str, provider: str, purpose: str
    ) -> Grant:
        """Return the grant of an account's link, its token good for a minute or more.

        Raises:
            Fault: LINK_NOT_FOUND, LINK_USE_NOT_CONSENTED, LINK_HAS_NO_TOKEN, LINK_LOST, LINK_PROVIDER_UNAVAILABLE or
                UNAVAILABLE.
        """
        link = await self._linked(work, account_id, provider)
        trail.subject = account_id
        trail.object("lnk", link.link_id)
        trail.detail(provider=provider, purpose=link.offer.purpose, version=link.offer.version)
        party = self._parties.get(provider)
        roles = () if party is None else party.provider.roles
        if role not in link.offer.roles or role not in roles or purpose != link.offer.purpose:
            raise Fault(LINK_USE_NOT_CONSENTED)
        for _ in range(_WAITS):
            grant = await self._opened(link)
            if not self._is_over(grant):
                return grant
            if party is None or party.tokens is None:
                raise Fault(LINK_LOST)
            until = self._clock.now() + HOLD
            if await self._hold(link, until):
                return await self._renewed(await self._linked(work, account_id, provider), party.tokens, until)
            await asyncio.sleep(_WAIT_SECONDS)
            link = await self._linked(work, account_id, provider)
        raise Fault(UNAVAILABLE, retry_after=1)

    async def _linked(self, work: Work, account_id: str, provider: str) -> Link:
        async with work.read() as store:
            found = await store.links.connected(account_id)
        for link in found:
            if link.offer.provider == provider:
                return link
        raise Fault(LINK_NOT_FOUND)

    async def _opened(self, link: Link) -> Grant:
        if link.kept is Kept.PROOF:
            raise Fault(LINK_HAS_NO_TOKEN)
        if link.sealed is None:
            raise Fault(LINK_LOST)
        return await self._vault.open(link.account_id, link.link_id, link.offer.provider, link.sealed)

    def _is_over(self, grant: Grant) -> bool:
        return grant.expires is not None and grant.expires - self._clock.now() < SOON

    async def _hold(self, link: Link, until: datetime) -> bool:
        try:
            async with self._units.write() as store:
                return await store.links.hold(link.link_id, until - HOLD, until, connected=True)
        except StoreAway:
            raise Fault(UNAVAILABLE, retry_after=1) from None

    async def _renewed(self, link: Link, tokens: TokenConnector, until: datetime) -> Grant:
        """Renew what a link, read again now that it is held, holds; somebody else may have been faster."""
        fault = None
        grant = fresh = await self._opened(link)
        try:
            if self._is_over(grant):
                fresh = await tokens.renew(grant)
        except Refused:
            fault = Fault(LINK_LOST)
        except (Away, Untrusted):
            fault = Fault(LINK_PROVIDER_UNAVAILABLE, retry_after=1)
        try:
            kept = await self._settle(link, fresh, until, fault)
        except StoreAway:
            raise Fault(UNAVAILABLE, retry_after=1) from None
        if fault is not None:
            raise fault
        if not kept:  # unlinked meanwhile: what was just made must not outlive it
            await self._withdraw(link, fresh)
            raise Fault(LINK_NOT_FOUND)
        return fresh

    async def _settle(self, link: Link, fresh: Grant, until: datetime, fault: Fault | None) -> bool:
        """Write what became of a renewal, and let go; False when the link is gone."""
        sealed = await self._vault.seal(link.account_id, link.link_id, link.offer.provider, fresh)
        async with self._units.write() as store:
            if fault is None:
                return await store.links.renew(link.link_id, until, sealed)
            if fault.reason is LINK_LOST:
                await store.links.lose(link.link_id, until)
            else:
                await store.links.release(link.link_id, until)
        return True
