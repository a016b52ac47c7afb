"""Owns which passwords are accepted: length in code points after NFC, no composition rules, a blocklist.

What is refused is refused for one reason, which is told: it is common, made of words that everybody knows of this
person, quickly guessed, or in a set of breached passwords that the operator has put on the disk. Clauses: ASVS 5.0
6.2.1, 6.2.4, 6.2.5, 6.2.8, 6.2.9, 6.2.11, 6.2.12; NIST 800-63B-4 section 3.1.1.2.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from services.auth import guessing
from services.auth.breached import BreachedSetError
from services.auth.errors import (
    PASSWORD_BREACHED,
    PASSWORD_COMMON,
    PASSWORD_CONTEXT,
    PASSWORD_GUESSABLE,
    PASSWORD_TOO_LONG,
    PASSWORD_TOO_SHORT,
)
from services.kit.faults import UNAVAILABLE, Fault

if TYPE_CHECKING:
    from services.auth.breached import BreachedSet
    from services.auth.email_address import EmailAddress
    from services.kit.faults import Reason
    from services.kit.secret import Secret

MIN_CODE_POINTS = 15
MAX_CODE_POINTS = 256
MIN_BESIDE_A_FACTOR = 8
"""Where a second factor is on (NIST 800-63B-4 section 3.1.1.2)."""
_GUESSES = 1e8
"""zxcvbn's "safely unguessable" by whoever has the hashes but little money."""
_GUESSES_BESIDE_A_FACTOR = 1e6
"""zxcvbn's "somewhat guessable": with the throttle, ten thousand years."""
_MIN_BEYOND_CONTEXT = 8
_MIN_CONTEXT_WORD = 4
_MIN_DIFFERENT = 5
_REPEATED = re.compile(r"(.{1,8}?)\1+.{0,3}", re.DOTALL)
_RUNS = (
    "abcdefghijklmnopqrstuvwxyz" * 2,
    "01234567890123456789012345678901234567890123456789",
    "qwertyuiopasdfghjklzxcvbnm" * 2,
    "qwertyuiopåasdfghjklöäzxcvbnm" * 2,
    "1q2w3e4r5t6y7u8i9o0p",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
)
_COMMON = frozenset(
    {
        "correcthorsebatterystaple",
        "iloveyouforever",
        "letmeinletmeinplease",
        "mypasswordissecret",
        "passwordpassword1",
        "thisismypassword",
        "thisisapassword",
        "changemechangeme1",
        "administrator123",
        "administrator1234",
        "jagälskardigmest",
        "dettaärmittlösenord",
        "mittlösenordärhemligt",
        "hemligtlösenord",
    }
)


class PasswordPolicy:
    """Checks passwords that somebody wants to have."""

    def __init__(self, product: str, breached: BreachedSet | None = None) -> None:
        """Take the name customers know the service by, and the set of breached passwords if there is one."""
        self._product, self._breached = product, breached

    def require(
        self, password: Secret, email: EmailAddress, *, least: int = MIN_CODE_POINTS, field: str = "password"
    ) -> None:
        """Check a password. Takes up to some tens of milliseconds and reads the disk: runs in the hash pool's threads.

        Args:
            password: The password.
            email: The account's address: its words make bad passwords.
            least: How many code points it needs.
            field: Where the request has it.

        Raises:
            Fault: PASSWORD_TOO_SHORT, PASSWORD_TOO_LONG, PASSWORD_COMMON, PASSWORD_CONTEXT, PASSWORD_GUESSABLE,
                PASSWORD_BREACHED, or UNAVAILABLE: the set of breached passwords cannot be read.
        """
        text = unicodedata.normalize("NFC", password.text())
        reason = self._wrong(text, email, least)
        if reason is not None:
            raise Fault(reason, field=field)

    def _wrong(self, text: str, email: EmailAddress, least: int) -> Reason | None:
        if len(text) < least:
            return PASSWORD_TOO_SHORT
        if len(text) > MAX_CODE_POINTS:
            return PASSWORD_TOO_LONG
        folded, words = text.casefold(), _context_words(email, self._product)
        if _is_common(folded):
            return PASSWORD_COMMON
        rest = folded
        for word in sorted(words, key=len, reverse=True):
            rest = rest.replace(word, "")
        if len(rest) < min(_MIN_BEYOND_CONTEXT, least // 2):
            return PASSWORD_CONTEXT
        if self._is_breached(text):
            return PASSWORD_BREACHED
        enough = _GUESSES if least >= MIN_CODE_POINTS else _GUESSES_BESIDE_A_FACTOR
        return PASSWORD_GUESSABLE if guessing.guesses(text, sorted(words)) < enough else None

    def _is_breached(self, text: str) -> bool:
        try:
            return self._breached is not None and self._breached.times(text) > 0
        except BreachedSetError:
            raise Fault(UNAVAILABLE, retry_after=60) from None


def _is_common(folded: str) -> bool:
    letters = "".join(re.findall(r"\w", folded))
    return (
        letters in _COMMON
        or guessing.is_listed(folded)
        or len(set(folded)) < _MIN_DIFFERENT
        or _REPEATED.fullmatch(folded) is not None
        or (
            len(folded) - len(letters) < _MIN_DIFFERENT and any(letters in run or letters[::-1] in run for run in _RUNS)
        )
    )


def _context_words(email: EmailAddress, product: str) -> set[str]:
    local, _, domain = email.display.casefold().partition("@")
    words = {local, domain, product.casefold(), *re.split(r"[^\w]+", local), *domain.split(".")}
    return {word for word in words if len(word) >= _MIN_CONTEXT_WORD}
