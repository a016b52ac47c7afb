"""Owns what erasures ask of their store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from services.auth.erasures.erasure import Erasure, Order, Part, Phase, State


class ErasureStore(Protocol):
    """Erasures, orders to the services, and their acknowledgements."""

    async def request(self, erasure: Erasure) -> bool:
        """Insert an erasure; False when the account has one."""
        ...

    async def cancel(self, account_id: str) -> bool:
        """Delete an erasure that has not begun; False when there is none."""
        ...

    async def get(self, account_id: str) -> Erasure | None:
        """Return an account's erasure, also when nothing else is left of the account."""
        ...

    async def pending(self, now: datetime, limit: int) -> Sequence[Erasure]:
        """Return erasures that are due or under way, the longest due first."""
        ...

    async def move(self, account_id: str, old: State, new: State) -> bool:
        """Move an erasure on; False when it is not in the old state any more."""
        ...

    async def order(self, account_id: str, phase: Phase) -> int:
        """Append an order; returns its number. Numbers become visible in their order, whatever commits first."""
        ...

    async def orders(self, after: int, limit: int) -> Sequence[Order]:
        """Return orders with higher numbers, in order."""
        ...

    async def latest(self) -> int:
        """Return the highest number given; 0 when none was."""
        ...

    async def acknowledge(self, part: Part) -> None:
        """Keep what a service has done; a later word of it replaces an earlier one."""
        ...

    async def parts(self, account_id: str) -> Sequence[Part]:
        """Return what services have done, by their names."""
        ...

    async def mail_waits(self, account_id: str, template: str) -> bool:
        """Tell whether a mail is in the queue."""
        ...

    async def forget(self, account_id: str) -> None:
        """Delete every row about an account, but for its erasure's: opaque ids that are never used again."""
        ...
