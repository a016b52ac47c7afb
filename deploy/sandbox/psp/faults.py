"""Owns the faults that tests order: what goes wrong, for which requests, how often. Off unless configured."""

import fnmatch
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What goes wrong."""

    DROP_BEFORE = "drop_before"
    """The connection ends and nothing was done."""
    DROP_AFTER = "drop_after"
    """The request takes effect, then the connection ends without an answer."""
    ERROR_BEFORE = "error_before"
    """500, and nothing was done."""
    ERROR_AFTER = "error_after"
    """500, although the request took effect."""
    SLOW_BEFORE = "slow_before"
    """The answer is late: the wait comes before the effect."""
    SLOW_AFTER = "slow_after"
    """The answer is late: the wait comes after the effect."""
    CONFLICT = "conflict"
    """409, and nothing was done."""
    RATE_LIMIT = "rate_limit"
    """429, and nothing was done."""


@dataclass
class Fault:
    """One order: the next `count` requests whose `METHOD /path` matches the pattern."""

    pattern: str
    kind: Kind
    count: int = 1
    seconds: float = 0.0


class Faults:
    """The faults that are still to happen, in the order given."""

    def __init__(self) -> None:
        """Begin with none."""
        self._orders: list[Fault] = []

    def order(self, fault: Fault) -> None:
        """Add an order."""
        self._orders.append(fault)

    def clear(self) -> None:
        """Forget all orders."""
        self._orders.clear()

    def take(self, request: str) -> Fault | None:
        """Use up one occurrence for `METHOD /path`, if any is ordered."""
        for fault in self._orders:
            if fnmatch.fnmatchcase(request, fault.pattern):
                fault.count -= 1
                if fault.count <= 0:
                    self._orders.remove(fault)
                return fault
        return None
