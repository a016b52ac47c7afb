"""How long the log's records stay: the configuration, and what it means on the calendar.

Owns the least that is accepted: a year, three months of it at hand (PCI DSS 10.5.1), unless a deployment says that it
accepts less. Without `prune` no entry is ever withdrawn from the public log.
"""

import calendar
from dataclasses import dataclass
from datetime import datetime

from services.audit.place import PlaceConfig

LEAST_KEPT = 12
LEAST_AT_HAND = 3
_YEAR = 12


@dataclass(frozen=True)
class RetentionConfig:
    """How long bodies and their index rows are kept, in whole months."""

    keep_months: int = 12
    at_hand_months: int = 3
    """Older ones move to `cold`, if there is one; they are still fetched when they are asked for."""
    accept_short: bool = False
    """Less than PCI DSS asks for is meant."""
    prune: bool = False
    """Withdraw tiles of what is not kept any more from the public log (c2sp.org/tlog-tiles, "Pruning")."""
    cold: PlaceConfig | None = None
    """Where bodies that are not at hand any more are."""

    def __post_init__(self) -> None:
        """Refuse what is shorter than it may be."""
        if not 1 <= self.at_hand_months <= self.keep_months:
            raise ValueError("at_hand_months is at least 1 and at most keep_months")
        if not self.accept_short and (self.keep_months < LEAST_KEPT or self.at_hand_months < LEAST_AT_HAND):
            raise ValueError("keep_months below 12 or at_hand_months below 3 need accept_short")


def months_before(time: datetime, months: int) -> datetime:
    """Return the same time so many calendar months earlier; the last day of a month that has no such day."""
    number = time.year * _YEAR + time.month - 1 - months
    year, month = divmod(number, _YEAR)
    day = min(time.day, calendar.monthrange(year, month + 1)[1])
    return time.replace(year=year, month=month + 1, day=day)
