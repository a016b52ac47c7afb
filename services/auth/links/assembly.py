"""Owns how links are put together from what the rest of auth gives them. Decides nothing and knows no store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.auth.links.grants import Vault
from services.auth.links.linking import Linking
from services.auth.links.parties import parties
from services.auth.links.unlinking import Unlinking
from services.auth.links.use import Use
from services.auth.throttle import Who
from services.auth.throttle_rules import Action

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.auth.links.grants import Keys
    from services.auth.links.providers import LinksConfig
    from services.auth.store import Units
    from services.auth.throttle import Throttle
    from services.kit.clock import Clock
    from services.kit.ids import Ids


@dataclass(frozen=True)
class Surroundings:
    """What the rest of auth gives."""

    units: Units
    keys: Keys
    throttle: Throttle
    clock: Clock
    ids: Ids
    entropy: Callable[[int], bytes]
    failed: Callable[[str], None]
    """Called with what went wrong, a constant, for the log."""


@dataclass(frozen=True)
class Links:
    """What the rest of auth gets."""

    linking: Linking
    unlinking: Unlinking
    use: Use


def assemble(config: LinksConfig, public_url: str, given: Surroundings) -> Links:
    """Put links together.

    Raises:
        OSError: A third party's secret or authorities cannot be read.
    """
    known = parties(config, public_url, given.clock)
    vault, units, clock = Vault(given.keys), given.units, given.clock
    unlinking = Unlinking(known, vault, units, clock, given.ids, given.failed)

    async def admit(account_id: str) -> None:
        await given.throttle.spend(Action.LINK, Who(account_id))

    linking = Linking(known, vault, units, unlinking.withdraw, admit, clock, given.ids, given.entropy)
    return Links(linking, unlinking, Use(known, vault, units, unlinking.withdraw, clock))
