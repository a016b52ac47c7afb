"""Owns the finding of card numbers, so that none enters Valv through any field. Must never repeat what it found.

A card number is 13 to 19 digits, of any script, perhaps in groups, that begin as a card scheme's numbers do, have a
length that the scheme uses, and pass the Luhn check (ISO/IEC 7812-1). Not searched: secrets (``debug_redact``, a
password may be all digits), and ids and digests, whose digits are nobody's card. A longer run of digits is no card.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import unquote_plus

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from stdnum import luhn

_SHORTEST, _LONGEST = 13, 19
_SMALLEST_GROUP = 3
_SEPARATOR = r"[\s\-._\u00ad\u200b-\u200f\u2010-\u2015\u2060\u2212\ufe58\ufe63\ufeff\uff0d\uff0e]{0,3}"
_RUN = re.compile(rf"[0-9](?:{_SEPARATOR}[0-9]){{{_SHORTEST - 1},}}")
_FOREIGN_DIGIT = re.compile(r"(?![0-9])\d")
_OPAQUE = re.compile(
    r"[a-z]{3}_[0-7][0-9a-hjkmnp-tv-z]{25}"  # our ids
    r"|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"  # UUIDs: request ids
    r"|[0-9a-f]{32,}"  # digests and trace ids
)
_SCHEMES = (
    ("4", (13, 16, 18, 19)),  # Visa
    ("5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720", (16,)),  # Mastercard
    ("3[47]", (15,)),  # American Express
    ("30[0-5]|3095|36|3[89]", (14, 15, 16, 17, 18, 19)),  # Diners Club
    ("6011|64[4-9]|65", (16, 17, 18, 19)),  # Discover
    ("62|81", (16, 17, 18, 19)),  # UnionPay
    ("35(?:2[89]|[3-8])", (16, 17, 18, 19)),  # JCB
    ("50(?:18|20|38)|5893|6304|6759|676[1-3]", (13, 14, 15, 16, 17, 18, 19)),  # Maestro
    ("60|508|8[12]|5019|636", (16,)),  # RuPay, Dankort, Hipercard, Elo
    ("220[0-4]|9792", (16, 17, 18, 19)),  # Mir, Troy
)
_PREFIXES = {
    length: re.compile("|".join(prefix for prefix, lengths in _SCHEMES if length in lengths))
    for length in range(_SHORTEST, _LONGEST + 1)
}


def contains_card_number(text: str) -> bool:
    """Tell whether a text holds a card number, also when it is percent-encoded as in a query string."""
    plain = text if "%" not in text else f"{text} \n {unquote_plus(text)}"
    plain = _FOREIGN_DIGIT.sub(lambda found: str(unicodedata.digit(found[0])), plain)
    if _RUN.search(plain) is None:
        return False
    runs = _RUN.finditer(_OPAQUE.sub(_without_opaque, plain))
    return any(_is_card(number) for found in runs for number in _candidates(found[0]))


def holds_card_number(message: Message) -> bool:
    """Tell whether any field of a message, however deep, holds a card number."""
    return any(contains_card_number(text) for text in _texts(message))


def _without_opaque(found: re.Match[str]) -> str:
    return found[0] if found[0].isdigit() else "x"


def _candidates(run: str) -> Iterator[str]:
    """Yield the run if it is short enough, and each stretch in it that begins and ends where a group of digits does."""
    groups = re.findall(r"[0-9]+", run)
    digits = "".join(groups)
    if len(digits) <= _LONGEST:
        yield digits
    starts, edges, position = [], {0}, 0
    for group in groups:
        if len(group) >= _SMALLEST_GROUP:
            starts.append(position)
        position += len(group)
        edges.add(position)
    for start in starts:
        for length in range(_SHORTEST, _LONGEST + 1):
            if start + length in edges:
                yield digits[start : start + length]


def _is_card(digits: str) -> bool:
    return len(digits) >= _SHORTEST and _PREFIXES[len(digits)].match(digits) is not None and luhn.is_valid(digits)


def _texts(message: Message) -> Iterator[str]:
    for field, value in message.ListFields():
        if field.GetOptions().debug_redact:
            continue
        for item in _items(field, value):
            if isinstance(item, Message):
                yield from _texts(item)
            elif isinstance(item, bytes):
                yield item.decode("utf-8", "replace")
            elif isinstance(item, str):
                yield item


def _items(field: FieldDescriptor, value: Any) -> Iterable[object]:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return [part for pair in value.items() for part in pair]
    return value if field.is_repeated else (value,)
