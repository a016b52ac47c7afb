"""Owns the carrying out of erasures that are due: one step after the other, each in a transaction of its own.

Killed between two steps, it goes on with the next; killed within one, that one never happened. Steps: sign out and
order the services to erase; when all have acknowledged, tell the owner, with the receipts; when that mail has left,
order the log to destroy the owner's key; then destroy auth's own key of the account and delete what auth holds. The
address is free again then.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from services.auth.erasures.erasure import LOG, Phase, State
from services.auth.mail import ERASURE_DONE, Outgoing
from services.auth.operators.standing import Cause
from services.auth.store import StoreAway
from services.kit.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from services.auth.erasures.erasure import Erasure, ErasureConfig
    from services.auth.revocations import Broadcaster
    from services.auth.sessions import Sessions
    from services.auth.store import Store, Units, Work
    from services.kit.clock import Clock
    from services.kit.ids import Ids

PAUSE_SECONDS = 1.0
BATCH = 50


class Ties(Protocol):
    """What else hangs on an account: links to third parties, and keys that seeds and tokens are sealed under."""

    async def unlink(self, work: Work, account_id: str) -> int:
        """Forget its links in the transaction of ``work``; a queue revokes their tokens. Raises Fault."""
        ...

    async def destroy_keys(self, account_id: str) -> None:
        """Destroy its keys for good. Raises StoreAway."""
        ...


class _Step:
    """A step's transaction, as the unit of work of a call; it commits when the step ends."""

    def __init__(self, units: Units, store: Store) -> None:
        self._units, self._store = units, store

    def read(self) -> AbstractAsyncContextManager[Store]:
        return self._units.read()

    async def write(self) -> Store:
        return self._store

    async def phase(self, action: str | None = None) -> None:
        raise RuntimeError("a step commits whole or not at all")

    async def commit(self) -> None:
        """Leave it to the end of the step."""


class Eraser:
    """Carries out erasures."""

    def __init__(
        self,
        units: Units,
        ties: Ties,
        sessions: Sessions,
        broadcaster: Broadcaster,
        config: ErasureConfig,
        clock: Clock,
        ids: Ids,
        away: Callable[[], None],
    ) -> None:
        """Take the collaborators; ``away`` is told when the store cannot be used."""
        self._units, self._ties = units, ties
        self._sessions, self._broadcaster = sessions, broadcaster
        self._config, self._clock, self._ids, self._away = config, clock, ids, away

    async def run(self) -> None:
        """Carry out what is due, for ever."""
        while True:
            try:
                await self.step()
            except (StoreAway, Fault):
                self._away()
            await asyncio.sleep(PAUSE_SECONDS)

    async def step(self) -> int:
        """Take each erasure that can go on one step further; returns how many did."""
        async with self._units.read() as store:
            pending = await store.lifecycle.erasures.pending(self._clock.now(), BATCH)
        moved = 0
        for erasure in pending:
            async with self._units.write() as store:
                moved += await self._advance(store, erasure)
            if erasure.state is State.REQUESTED:
                await self._broadcaster.announce()
        return moved

    async def _advance(self, store: Store, erasure: Erasure) -> bool:
        """Do the next step in this transaction; False when it has to wait or another replica has done it."""
        if erasure.state is State.REQUESTED:
            return await self._begin(store, erasure)
        if erasure.state is State.DATA:
            return await self._tell(store, erasure)
        if erasure.state is State.TELLING:
            return await self._close_log(store, erasure)
        return await self._forget(store, erasure)

    async def _begin(self, store: Store, erasure: Erasure) -> bool:
        account = erasure.account_id
        if not await store.lifecycle.erasures.move(account, State.REQUESTED, State.DATA):
            return False
        await store.lifecycle.standings.disable(account, Cause.OWNER.value, self._clock.now())
        await self._sessions.end_all(store.sessions, store.revocations, account)
        await self._ties.unlink(_Step(self._units, store), account)
        await store.lifecycle.erasures.order(account, Phase.DATA)
        await store.ledger.erasure(account, "begin")
        return True

    async def _tell(self, store: Store, erasure: Erasure) -> bool:
        account = erasure.account_id
        done = {part.service for part in await store.lifecycle.erasures.parts(account)}
        if not done.issuperset(self._config.services):
            return False
        if not await store.lifecycle.erasures.move(account, State.DATA, State.TELLING):
            return False
        await store.mail.add(Outgoing(self._ids.new("mai"), account, ERASURE_DONE, reference="", due=self._clock.now()))
        return True

    async def _close_log(self, store: Store, erasure: Erasure) -> bool:
        account = erasure.account_id
        if await store.lifecycle.erasures.mail_waits(account, ERASURE_DONE):
            return False
        if not await store.lifecycle.erasures.move(account, State.TELLING, State.LOG):
            return False
        await store.lifecycle.erasures.order(account, Phase.LOG)
        return True

    async def _forget(self, store: Store, erasure: Erasure) -> bool:
        account = erasure.account_id
        if LOG not in {part.service for part in await store.lifecycle.erasures.parts(account)}:
            return False
        if not await store.lifecycle.erasures.move(account, State.LOG, State.ERASED):
            return False
        await self._ties.destroy_keys(account)  # in a database of its own: the rows that it opens go only after it
        await store.lifecycle.erasures.forget(account)
        await store.ledger.erasure(account, "end")
        return True
