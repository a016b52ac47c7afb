"""Owns what links ask of their store: rows of links, and the queue of what waits to be revoked.

A call to a third party holds its link until a time: nobody else may use the link before, and what the call wants to
keep afterwards is kept only while it still holds it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.auth.links.purpose import Offer


class Kept(StrEnum):
    """What is kept of a link."""

    TOKEN = "token"  # noqa: S105 - the name of a kind
    PROOF = "proof"
    LOST = "lost"
    """The third party has ended it."""


@dataclass(frozen=True)
class Link:
    """A link, or an attempt at one."""

    link_id: str
    account_id: str
    offer: Offer
    """What was shown."""
    created: datetime
    expires: datetime | None
    """When the attempt ends; None once it is connected."""
    consented: datetime | None = None
    connected: datetime | None = None
    kept: Kept | None = None
    sealed: bytes | None = None
    """A grant once connected, before that what waits for the person to come back."""


@dataclass(frozen=True)
class Return:
    """What a person who comes back must bring: the hash of the state, in the session that consented."""

    session_id: str
    state_hash: bytes


@dataclass(frozen=True)
class Revocation:
    """A grant that waits to be revoked at its third party."""

    revocation_id: str
    link_id: str
    account_id: str
    provider: str
    sealed: bytes
    due: datetime
    ends: datetime
    """When it is given up."""
    attempts: int = 0


class LinkCounts(Protocol):
    """What the live checks count."""

    async def without_consent(self) -> int:
        """Count links that were connected before, or without, the consent that is recorded of them."""
        ...

    async def unsealed(self) -> int:
        """Count grants, in use or waiting to be revoked, that are not sealed."""
        ...


class LinkStore(LinkCounts, Protocol):
    """Links and attempts at them."""

    async def begin(self, link: Link) -> None:
        """Insert an attempt in place of the account's others with the same provider, but for one that is held."""
        ...

    async def get(self, account_id: str, link_id: str) -> Link | None:
        """Return an account's link or attempt."""
        ...

    async def connected(self, account_id: str) -> Sequence[Link]:
        """Return an account's links, oldest first."""
        ...

    async def consent(self, link_id: str, now: datetime, back: Return | None, sealed: bytes | None) -> bool:
        """Record consent, and what the person must come back with; False when the attempt is over or held."""
        ...

    async def hold(self, link_id: str, now: datetime, until: datetime, *, connected: bool) -> bool:
        """Hold a link, or an attempt that was consented to; False when there is none or somebody else holds it."""
        ...

    async def hold_return(self, account_id: str, back: Return, now: datetime, until: datetime) -> Link | None:
        """Use a state up and hold its attempt; exactly one of several racing calls gets it."""
        ...

    async def keep(self, link_id: str, until: datetime, now: datetime, kept: Kept, sealed: bytes | None) -> bool:
        """Make what is held until then a link; False when it is not held any more, or there is one already."""
        ...

    async def renew(self, link_id: str, until: datetime, sealed: bytes) -> bool:
        """Replace the grant of a link held until then, and let go of it; False when it is not held any more."""
        ...

    async def release(self, link_id: str, until: datetime) -> None:
        """Let go of what is held until then."""
        ...

    async def lose(self, link_id: str, until: datetime) -> None:
        """Forget the grant of a link held until then, and let go of it: it does not work any more."""
        ...

    async def remove(self, account_id: str, link_id: str) -> bool:
        """Drop a link or an attempt; False when there is none."""
        ...


class RevocationQueue(Protocol):
    """What waits to be revoked."""

    async def add(self, revocation: Revocation) -> None:
        """Queue one."""
        ...

    async def is_due(self, now: datetime) -> bool:
        """Tell whether one is due."""
        ...

    async def claim(self, now: datetime, until: datetime, limit: int) -> Sequence[Revocation]:
        """Take those that are due; nobody else gets them before ``until``."""
        ...

    async def postpone(self, revocation_id: str, until: datetime) -> None:
        """Count a failed attempt; the next one is due then."""
        ...

    async def remove(self, revocation_id: str) -> None:
        """Drop one that was done or given up."""
        ...
