"""Owns the ids: typed, prefixed, never numeric, time-ordered. The alphabet is frozen.

An id is ``<prefix>_`` and 26 characters of lower-case Crockford base 32: 48 bits of Unix milliseconds, then 80 random
bits. Ids sort by the time they were made and can be neither guessed nor mistaken for a card number.
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING

from services.kit.clock import from_milliseconds, milliseconds

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from services.kit.clock import Clock

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_FORM = re.compile(r"([a-z]{3})_([0-7][0-9a-hjkmnp-tv-z]{25})")


class Ids:
    """Makes ids from a clock and a source of random bytes."""

    def __init__(self, clock: Clock, entropy: Callable[[int], bytes] = secrets.token_bytes) -> None:
        """Take the clock that orders the ids and the source of their random part."""
        self._clock = clock
        self._entropy = entropy

    def new(self, prefix: str) -> str:
        """Return a new id with this three-letter prefix."""
        now = milliseconds(self._clock.now())
        number = now << 80 | int.from_bytes(self._entropy(10), "big")
        return prefix + "_" + "".join(ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))


def check(prefix: str, text: str) -> str:
    """Return the text when it is an id with that prefix.

    Raises:
        ValueError: It is not.
    """
    found = _FORM.fullmatch(text)
    if found is None or found[1] != prefix:
        message = "not an id of this kind"
        raise ValueError(message)
    return text


def made_at(text: str) -> datetime:
    """Return when an id was made, to the millisecond."""
    number = 0
    for character in text.partition("_")[2]:
        number = number << 5 | ALPHABET.index(character)
    return from_milliseconds(number >> 80)


def is_id(text: str) -> bool:
    """Tell whether the text has the form of an id of any kind."""
    return _FORM.fullmatch(text) is not None
