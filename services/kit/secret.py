"""Owns the type that secrets travel in. Must never show its value unless asked by name, nor let itself be copied."""

from __future__ import annotations

import hmac
from typing import NoReturn


class Secret:
    """A value that does not show itself: not printed, formatted, compared, hashed, pickled or copied."""

    __slots__ = ("_value",)

    def __init__(self, value: str | bytes) -> None:
        """Take the value; text is kept as UTF-8."""
        self._value = bytearray(value.encode() if isinstance(value, str) else value)

    def reveal(self) -> bytes:
        """Return the value as bytes.

        Raises:
            ValueError: It was wiped.
        """
        if not self._value:
            message = "the secret is empty or was wiped"
            raise ValueError(message)
        return bytes(self._value)

    def text(self) -> str:
        """Return the value as text.

        Raises:
            ValueError: It was wiped, or is not UTF-8. The error does not hold the value.
        """
        value = self.reveal()
        try:
            return value.decode()
        except UnicodeDecodeError:
            message = "the secret is not text"
            raise ValueError(message) from None

    def matches(self, other: bytes) -> bool:
        """Compare in constant time; a wiped secret matches nothing."""
        return hmac.compare_digest(self._value, other) and bool(self._value)

    def wipe(self) -> None:
        """Overwrite our copy. Best effort: what ``reveal`` and ``text`` gave out is beyond reach."""
        self._value[:] = bytes(len(self._value))
        self._value.clear()

    def __repr__(self) -> str:
        """Return the same text for every secret."""
        return "Secret(...)"

    def __str__(self) -> str:
        """Return the same text for every secret."""
        return "Secret(...)"

    def __format__(self, _spec: str) -> str:
        """Return the same text for every secret, whatever the format."""
        return "Secret(...)"

    def __eq__(self, other: object) -> NoReturn:
        """Refuse: ``matches`` compares in constant time."""
        message = "secrets are compared with matches()"
        raise TypeError(message)

    __hash__ = None  # type: ignore[assignment]  # a secret is no key of a dictionary

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        """Refuse to be pickled or copied."""
        message = "a secret is neither pickled nor copied"
        raise TypeError(message)
