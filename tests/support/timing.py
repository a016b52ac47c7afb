"""Whether two sets of times tell their causes apart: the Mann-Whitney statistic and the distance of the medians."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from random import Random
from statistics import median
from time import perf_counter

OVERLAP = 0.2
"""How far from a half the chance may be that a time of one cause is longer than one of another."""
APART = 0.1
"""How far apart the medians may be, as a part of the longer one."""
ROUNDS = 3


@dataclass(frozen=True)
class Leak:
    """Two causes that an observer can tell apart."""

    causes: tuple[str, str]
    longer: float
    """How often the second took longer, less a half."""
    apart: float
    """The distance of the medians, as a part of the longer."""


async def samples(
    causes: Mapping[str, Callable[[int], Awaitable[object]]], count: int, random: Random
) -> dict[str, list[float]]:
    """Time each cause that many times, one call at a time, all of them in turn and in another order each turn."""
    times: dict[str, list[float]] = {name: [] for name in causes}
    for number in range(count):
        for name in random.sample(list(causes), len(causes)):
            begun = perf_counter()
            await causes[name](number)
            times[name].append(perf_counter() - begun)
    return times


def leaks(times: Mapping[str, Sequence[float]]) -> list[Leak]:
    """Return the pairs of causes beyond both bounds: a load on the machine moves one of them, a leak both."""
    found = []
    for one, other in combinations(times, 2):
        longer = chance_of_longer(times[one], times[other]) - 0.5
        middles = median(times[one]), median(times[other])
        apart = abs(middles[0] - middles[1]) / max(middles)
        if abs(longer) > OVERLAP and apart > APART:
            found.append(Leak((one, other), longer, apart))
    return found


def chance_of_longer(these: Sequence[float], those: Sequence[float]) -> float:
    """Return the chance that one of those is longer than one of these (Mann-Whitney U over both counts)."""
    ordered = sorted(these)
    wins = sum(bisect_left(ordered, time) + bisect_right(ordered, time) for time in those) / 2
    return wins / (len(these) * len(those))
