"""Owns what a customer is told before a link, and what their consent is bound to: exactly those words.

The digest covers everything that is shown, and who may use the link; a word changed is another digest. It can be
computed by anybody: ``sha256sum`` of the lines, see ``valv.auth.v1.LinkPurpose``.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
_LONGEST = 1000


@dataclass(frozen=True)
class PurposeText:
    """The words, in one language."""

    used_for: str
    """What the third party's data is used for."""
    kept: str
    """What is kept."""
    kept_for: str
    """For how long."""

    def __post_init__(self) -> None:
        for text in (self.used_for, self.kept, self.kept_for):
            if not text.strip() or len(text) > _LONGEST or not text.isprintable():
                raise ValueError("a purpose is told in one paragraph of 1 to 1000 characters each")


@dataclass(frozen=True)
class Purpose:
    """What a link is for, as configured."""

    id: str
    """What services name when they ask for the token, such as ``invoices``."""
    version: str
    """Of the words, in all languages. Must change when they do."""
    texts: dict[str, PurposeText]
    """The words by language, BCP 47."""

    def __post_init__(self) -> None:
        require_name(self.id)
        if not _VERSION.fullmatch(self.version):
            raise ValueError("a purpose's version is 1 to 32 letters, digits, dots, dashes or underscores")


@dataclass(frozen=True)
class Offer:
    """What one customer is shown, and may consent to."""

    provider: str
    purpose: str
    version: str
    locale: str
    roles: tuple[str, ...]
    """The internal services that may use the link."""
    text: PurposeText

    @property
    def digest(self) -> str:
        """SHA-256 of all that is shown, hexadecimal."""
        lines = (self.provider, self.purpose, self.version, self.locale, ",".join(self.roles))
        shown = (*lines, self.text.used_for, self.text.kept, self.text.kept_for)
        return hashlib.sha256("\n".join(shown).encode()).hexdigest()


def require_name(text: str) -> None:
    """Check an id of the configuration.

    Raises:
        ValueError: It is not a lower-case word of at most 32 characters.
    """
    if not _NAME.fullmatch(text):
        raise ValueError("an id is a lower-case word of 1 to 32 letters, digits and dashes")
