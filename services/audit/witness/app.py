"""The composition of the witnesses.

Owns which part gets which other part.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from services.audit.heads import CheckpointReader
from services.audit.note import Verifier
from services.audit.store import CheckpointStore, TileStore
from services.audit.witness.client import HttpWitness
from services.audit.witness.config import WitnessesConfig
from services.audit.witness.cosignature import parse_vkey
from services.audit.witness.outside import Outside
from services.audit.witness.publisher import Publisher
from services.audit.witness.round import Alarms, Witness
from services.kit.clock import Clock
from services.kit.telemetry import Log


@dataclass(frozen=True)
class Witnesses:
    """The configured witnesses, and what is made of them."""

    config: WitnessesConfig
    clients: tuple[HttpWitness, ...]
    checkpoints: CheckpointStore
    tiles: TileStore
    verifier: Verifier

    def heads(self, clock: Clock) -> CheckpointReader:
        """Return the heads that are served: with witnesses, what they have cosigned."""
        return CheckpointReader(self.checkpoints, clock, witnessed=bool(self.clients))

    def outside(self) -> Outside:
        """Return what others have seen of the log."""
        return Outside(self.clients, self.config.require, self.tiles, self.verifier)

    def publisher(self, alarms: Alarms, clock: Clock, log: Log, signing: Callable[[], bool]) -> Publisher:
        """Return what publishes heads with their cosignatures."""
        witnesses = [
            Witness(each.name, client, parse_vkey(each.vkey), alarms, clock, log)
            for each, client in zip(self.config.witness, self.clients, strict=True)
        ]
        require, interval = self.config.require, self.config.interval
        return Publisher(witnesses, require, self.checkpoints, self.tiles, self.verifier, log, signing, interval)

    def tasks(
        self, alarms: Alarms, clock: Clock, log: Log, signing: Callable[[], bool]
    ) -> tuple[Callable[[], Coroutine[Any, Any, None]], ...]:
        """Return what runs as long as the service: nothing when there is nobody to ask."""
        return (self.publisher(alarms, clock, log, signing).run,) if self.clients else ()

    async def close(self) -> None:
        """Give up connections and threads."""
        for each in self.clients:
            await each.close()


def build(config: WitnessesConfig, checkpoints: CheckpointStore, tiles: TileStore, verifier: Verifier) -> Witnesses:
    """Build the witnesses' part of the service."""
    return Witnesses(config, tuple(HttpWitness(each) for each in config.witness), checkpoints, tiles, verifier)
