"""Owns which passwords are accepted: length in code points after NFC, no composition rules, a blocklist.

Clauses: ASVS 5.0 6.2.1, 6.2.4, 6.2.5, 6.2.8, 6.2.9, 6.2.11; NIST 800-63B-4 section 3.1.1.2.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from services.auth.errors import PASSWORD_COMMON, PASSWORD_CONTEXT, PASSWORD_TOO_LONG, PASSWORD_TOO_SHORT
from services.kit.faults import Fault

if TYPE_CHECKING:
    from services.auth.email_address import EmailAddress
    from services.kit.secret import Secret

MIN_CODE_POINTS = 15
MAX_CODE_POINTS = 256
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


def require(password: Secret, email: EmailAddress, product: str) -> None:
    """Check a password that somebody wants to have.

    Args:
        password: The password.
        email: The account's address: its words make bad passwords.
        product: The name customers know the service by.

    Raises:
        Fault: PASSWORD_TOO_SHORT, PASSWORD_TOO_LONG, PASSWORD_COMMON or PASSWORD_CONTEXT.
    """
    text = unicodedata.normalize("NFC", password.text())
    if len(text) < MIN_CODE_POINTS:
        raise Fault(PASSWORD_TOO_SHORT, field="password")
    if len(text) > MAX_CODE_POINTS:
        raise Fault(PASSWORD_TOO_LONG, field="password")
    folded = text.casefold()
    if _is_common(folded):
        raise Fault(PASSWORD_COMMON, field="password")
    rest = folded
    for word in sorted(_context_words(email, product), key=len, reverse=True):
        rest = rest.replace(word, "")
    if len(rest) < _MIN_BEYOND_CONTEXT:
        raise Fault(PASSWORD_CONTEXT, field="password")


def _is_common(folded: str) -> bool:
    letters = "".join(re.findall(r"\w", folded))
    return (
        letters in _COMMON
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
