"""Owns how soon a password would be guessed, by zxcvbn, within a bounded time. Must never refuse one itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zxcvbn import zxcvbn
from zxcvbn.frequency_lists import FREQUENCY_LISTS

if TYPE_CHECKING:
    from collections.abc import Iterable

_SEEN = 40
"""Code points looked at in one go: the time grows with their square, and zxcvbn takes 72 at most."""
_STAND_INS = frozenset("4@8({[<369&#!1/|0$5+7%2")
"""What zxcvbn reads as letters, in every combination: with all of them in one password it takes seconds."""
_MOST_STAND_INS = 4
_COMMON = frozenset(FREQUENCY_LISTS["passwords"])


def is_listed(folded: str) -> bool:
    """Tell whether a case-folded password is on zxcvbn's list of 30,000 common ones."""
    return folded in _COMMON


def guesses(password: str, words: Iterable[str]) -> float:
    """Return how many guesses somebody would need who tries words, names, dates, patterns and repetitions first.

    Of a long password its beginning and its end are looked at, and the better one counts.

    Args:
        password: In NFC.
        words: Words the guesser knows to be this person's.
    """
    known = list(words)
    parts = {password[:_SEEN], password[-_SEEN:]}
    return max(float(zxcvbn(_plain(part), user_inputs=known)["guesses"]) for part in parts)


def _plain(part: str) -> str:
    """Keep the first few stand-ins for letters; the others count as characters that are none."""
    kept = set(list(dict.fromkeys(letter for letter in part if letter in _STAND_INS))[:_MOST_STAND_INS])
    return "".join("\ufffd" if letter in _STAND_INS - kept else letter for letter in part)
