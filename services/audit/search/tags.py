"""Tags: what stands in the index in place of what an event says.

Owns their form: the first 8 bytes of HMAC-SHA-256 under a key of the field's own, derived from a key in the keys
database. Whoever holds the main database alone can see which events say the same, and cannot guess what. A tag never
decides what is shown: the opened event does, so that two words with one tag are told apart.
"""

import hmac
from dataclasses import dataclass
from typing import Protocol

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from services.audit.search.terms import FIELDS, Terms, words_of
from services.kit.clock import milliseconds
from services.kit.event import Event

VERSION = 1
"""Of the form and the key. An index of another version is thrown away and made anew."""
OWNER = f"valv-index-{VERSION}"
"""Owner of the key."""
_DERIVE = "valv/audit/index/v1/"
_TAG_BYTES = 8
_REQUEST = "request"
_FEW = {"kind", "action", "area", "outcome"}
"""Fields whose words come again and again."""
_REMEMBERED = 4096


class Keys(Protocol):
    """The keys database."""

    async def get_or_create(self, owner: str) -> bytes:
        """Return the owner's key, made at first use."""


@dataclass(frozen=True, slots=True)
class Tags:
    """An event's line in the index: when it happened, and a tag for each field it says something in."""

    time_ms: int
    words: dict[str, int]


class Tagger:
    """Makes tags under one key."""

    def __init__(self, key: bytes) -> None:
        """Take the index key."""
        self._keys = {
            name: HKDFExpand(SHA256(), 32, (_DERIVE + name).encode()).derive(key) for name in (*FIELDS, _REQUEST)
        }
        self._known: dict[tuple[str, str], int] = {}

    def of(self, event: Event) -> Tags:
        """Return an event's tags."""
        return Tags(milliseconds(event.time), {name: self._tag(name, word) for name, word in words_of(event).items()})

    def wanted(self, terms: Terms) -> dict[str, int]:
        """Return the tags that an event has if it answers the filter."""
        return {name: self._tag(name, word) for name, word in terms.words.items()}

    def of_request(self, request: str) -> int:
        """Return the tag of a request id: no field of the index, but kept for a while (`evidence.requests`)."""
        return self._made(_REQUEST, request)

    def _tag(self, name: str, word: str) -> int:
        if name not in _FEW:
            return self._made(name, word)
        tag = self._known.get((name, word))
        if tag is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            tag = self._known[name, word] = self._made(name, word)
        return tag

    def _made(self, name: str, word: str) -> int:
        digest = hmac.digest(self._keys[name], word.encode(), "sha256")
        return int.from_bytes(digest[:_TAG_BYTES], signed=True)


class Tagging:
    """The tagger under the key that is in force."""

    def __init__(self, keys: Keys) -> None:
        """Take the keys database."""
        self._keys = keys
        self._key, self._tagger = b"", Tagger(bytes(32))

    async def tagger(self) -> Tagger:
        """Return it."""
        key = await self._keys.get_or_create(OWNER)
        if key != self._key:
            self._key, self._tagger = key, Tagger(key)
        return self._tagger
