"""Owns the life of the edge's configuration: gather, compose, record, push, and go back when Envoy refuses.

Nothing is served before the keys are known, and nothing is pushed that audit does not hold.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from services.gateway.composition import Inputs
from services.gateway.ledger import PUSHED, ROLLED_BACK
from services.gateway.xds.ads import RefusedError
from services.kit.faults import UNAVAILABLE, Fault
from services.kit.shipping import Away

if TYPE_CHECKING:
    from services.gateway.composition import Composer
    from services.gateway.ledger import Ledger
    from services.gateway.xds.ads import Ads
    from services.kit.telemetry import Log

SETTLE_SECONDS = 0.02
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.25, 5.0
_PARTS = frozenset(Inputs.__dataclass_fields__)


class Publisher:
    """Publishes whatever the latest inputs make."""

    def __init__(self, composer: Composer, ads: Ads, ledger: Ledger, log: Log) -> None:
        """Take the collaborators; inputs come by ``offer``."""
        self._composer, self._ads, self._ledger, self._log = composer, ads, ledger, log
        self._parts: dict[str, Any] = {}
        self._offered = asyncio.Event()
        self._refused: str | None = None

    def offer(self, **parts: Any) -> None:
        """Give new values of some inputs; they are published once all are known."""
        self._parts |= parts
        if set(self._parts) >= _PARTS:
            self._offered.set()

    async def ready(self) -> None:
        """Raise unless there is a configuration to serve.

        Raises:
            Fault: UNAVAILABLE.
        """
        if self._ads.snapshot is None:
            raise Fault(UNAVAILABLE)

    async def run(self) -> None:
        """Publish for ever."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            await self._offered.wait()
            await asyncio.sleep(SETTLE_SECONDS)
            self._offered.clear()
            try:
                await self.publish()
                pause = FIRST_PAUSE_SECONDS
            except (Away, Fault):
                self._log.warning("a configuration could not be recorded, so it is not pushed", delay=pause)
                self._offered.set()
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def publish(self) -> None:
        """Compose, record and push once.

        Raises:
            services.kit.shipping.Away: Audit does not hold the record; nothing was pushed.
        """
        snapshot = self._composer.compose(Inputs(**self._parts))
        before = self._ads.snapshot
        if snapshot.digest in {self._refused, before.digest if before else None}:
            return
        await self._ledger.record(PUSHED, snapshot.digest)
        try:
            await self._ads.push(snapshot)
            self._refused = None
            self._log.info("configuration pushed", version=snapshot.digest[:16])
        except RefusedError as error:
            self._refused = snapshot.digest
            self._log.error("configuration rolled back", type=str(error), version=snapshot.digest[:16])
            await self._record_rollback(snapshot.digest)

    async def _record_rollback(self, digest: str) -> None:
        """Going back is not put off until it is recorded: the record follows with the next one at the latest."""
        try:
            await self._ledger.record(ROLLED_BACK, digest)
        except (Away, Fault):
            self._log.warning("a rollback is not recorded yet")
