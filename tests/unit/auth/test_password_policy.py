"""Which passwords are accepted, and what a person is told of those that are not."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from services.auth import guessing
from services.auth.breached import BreachedSet, BreachedSetError
from services.auth.email_address import parse
from services.auth.errors import (
    PASSWORD_BREACHED,
    PASSWORD_COMMON,
    PASSWORD_CONTEXT,
    PASSWORD_GUESSABLE,
    PASSWORD_TOO_LONG,
    PASSWORD_TOO_SHORT,
)
from services.auth.password_policy import MIN_BESIDE_A_FACTOR, MIN_CODE_POINTS, PasswordPolicy
from services.kit.faults import UNAVAILABLE, Fault, Reason
from services.kit.secret import Secret

EMAIL = parse("margareta.lindqvist@stormhatten.example")


def refusal(password: str, least: int = MIN_CODE_POINTS, breached: BreachedSet | None = None) -> Reason | None:
    try:
        PasswordPolicy("Valv", breached).require(Secret(password), EMAIL, least=least)
    except Fault as fault:
        shown = fault.field, len(password) > 8 and password in repr(fault)
        reason = fault.reason
    else:
        return None
    assert shown == ("password", False)
    return reason


@pytest.mark.clause("ASVS 6.2.1", "ASVS 6.2.5", "ASVS 6.2.8", "ASVS 6.2.9", "NIST 800-63B-4 3.1.1.2")
@pytest.mark.parametrize(
    "password",
    [
        "pale moth under",
        "onlylowercaseletterswithoutspaces",
        "ÅÄÖåäö lång nog för alla",
        "密码是一个很长很长很长的句子呀",
        "🦊🐻🐼🐨🐯🦁🐮🐷🐸🐵🐔🐧🐦🐤🦆",
        "  leading and trailing space  ",
        "!@#$%^&*()_+-=[]{}",
        "x7" + "kQ9vT2mW8z" * 1 + "-long-" + "".join(chr(0x4E00 + n) for n in range(238)),
    ],
)
def test_length_is_all_that_is_asked(password: str) -> None:
    assert refusal(password) is None


@pytest.mark.parametrize(
    "password, reason",
    [
        ("fourteen chars", PASSWORD_TOO_SHORT),
        ("a\u0301" * 14, PASSWORD_TOO_SHORT),
        ("".join(chr(0x4E00 + n) for n in range(257)), PASSWORD_TOO_LONG),
    ],
)
def test_length_is_counted_in_code_points_after_composition(password: str, reason: Reason) -> None:
    assert refusal(password) is reason


@pytest.mark.clause("ASVS 6.2.4")
@pytest.mark.parametrize(
    "password",
    [
        "aaaaaaaaaaaaaaaaaaaa", "abcabcabcabcabcabc", "passwordpassword", "PasswordPassword", "123456789012345",
        "987654321098765", "qwertyuiopasdfgh", "Correct Horse Battery Staple", "abcdefghijklmnopqr", "letmeinletmein!",
        "1q2w3e4r5t6y7u8i", "................", "jag älskar dig mest",
    ],
)  # fmt: skip
def test_common_ones_and_patterns_are_refused_with_that_reason(password: str) -> None:
    assert refusal(password) is PASSWORD_COMMON


@pytest.mark.clause("ASVS 6.2.11")
@pytest.mark.parametrize(
    "password",
    ["margareta.lindqvist", "Lindqvist-Margareta", "ValvStormhatten1", "stormhatten.example!", "margareta2026!!"],
)
def test_those_made_of_the_address_or_the_product_are_refused_with_that_reason(password: str) -> None:
    assert refusal(password) is PASSWORD_CONTEXT


@pytest.mark.clause("ASVS 6.2.4", "NIST 800-63B-4 3.1.1.2")
@pytest.mark.parametrize(
    "password",
    ["michaeljordan23", "Summer2024Summer2024", "password12345678", "P4ssw0rd!P4ssw0rd!"],
)
def test_those_guessed_soon_are_refused_with_that_reason(password: str) -> None:
    assert refusal(password) is PASSWORD_GUESSABLE


@pytest.mark.clause("ASVS 6.2.1", "NIST 800-63B-4 3.1.1.2")
@pytest.mark.parametrize(
    "password, reason",
    [
        ("kx9#vT2", PASSWORD_TOO_SHORT),
        ("kx9#vT2m", None),
        ("moth-lamp", None),
        ("password", PASSWORD_COMMON),
        ("Password", PASSWORD_COMMON),
        ("12345678", PASSWORD_COMMON),
        ("zxcvbnm123", PASSWORD_COMMON),
        ("liverpool77", PASSWORD_GUESSABLE),
        ("lindqvist", PASSWORD_CONTEXT),
        ("stormhatten7", PASSWORD_CONTEXT),
    ],
)
def test_beside_a_second_factor_eight_are_enough(password: str, reason: Reason | None) -> None:
    assert refusal(password, MIN_BESIDE_A_FACTOR) is reason


@pytest.mark.clause("ASVS 6.2.4")
def test_the_3000_most_common_passwords_of_eight_and_more_are_refused_to_a_man() -> None:
    words = [word for word in FREQUENCY_LISTS["passwords"] if len(word) >= MIN_BESIDE_A_FACTOR][:3000]
    assert len(words) == 3000
    assert {refusal(word, MIN_BESIDE_A_FACTOR) for word in words} == {PASSWORD_COMMON}
    assert {refusal(word.upper(), MIN_BESIDE_A_FACTOR) for word in words} == {PASSWORD_COMMON}


class Set:
    """A set of breached passwords."""

    def __init__(self, *passwords: str, error: BreachedSetError | None = None) -> None:
        self._passwords, self._error = passwords, error

    def check(self) -> None:
        """It is whole."""

    def times(self, password: str) -> int:
        if self._error is not None:
            raise self._error
        return self._passwords.count(password)


@pytest.mark.clause("ASVS 6.2.12", "ASVS 6.2.8", "NIST 800-63B-4 3.1.1.2")
def test_a_breached_password_is_refused_in_whichever_spelling_and_in_no_other_case() -> None:
    breached = Set("caf\u00e9 au lait at noon")
    assert refusal("cafe\u0301 au lait at noon", breached=breached) is PASSWORD_BREACHED
    assert refusal("Caf\u00e9 au lait at noon", breached=breached) is None


@pytest.mark.clause("ASVS 16.5.3")
def test_a_set_that_cannot_be_read_makes_new_passwords_wait_and_lets_none_pass() -> None:
    policy = PasswordPolicy("Valv", Set(error=BreachedSetError("damaged")))
    with pytest.raises(Fault) as refused:
        policy.require(Secret("a lighthouse keeper counts waves"), EMAIL)
    assert refused.value.reason is UNAVAILABLE


ANY = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300)


@pytest.mark.clause("ASVS 6.2.1", "ASVS 6.2.9")
@settings(max_examples=150, deadline=None)
@given(ANY)
def test_length_is_of_code_points_in_nfc_whatever_the_letters(password: str) -> None:
    length = len(unicodedata.normalize("NFC", password))
    told = refusal(password)
    assert (told is PASSWORD_TOO_SHORT) == (length < 15)
    assert (told is PASSWORD_TOO_LONG) == (length > 256)


@settings(max_examples=80, deadline=None)
@given(ANY)
def test_a_password_and_its_other_unicode_spelling_are_one(password: str) -> None:
    assert refusal(unicodedata.normalize("NFC", password)) is refusal(unicodedata.normalize("NFD", password))


@settings(max_examples=60, deadline=None)
@given(st.text("4@8({[<369&#!1/|0$5+7%2aeiopasword", min_size=15, max_size=256))
def test_no_password_keeps_the_estimate_busy_for_long(password: str) -> None:
    """Of some of these zxcvbn alone makes seconds. Processor time: a busy machine does not count."""
    begun = time.thread_time()
    guessing.guesses(password, ["margareta", "lindqvist"])
    assert time.thread_time() - begun < 1.0


@pytest.mark.parametrize("at", [0, 100])
def test_of_a_long_password_the_better_end_counts(at: int) -> None:
    tail = "pale moth under a lamp at noon with nobody there"
    assert refusal("a" * at + tail + "a" * (100 - at)) is None


@pytest.mark.clause("ASVS 6.2.5")
@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(categories=["Ll", "Lo"]), min_size=16, max_size=256))
def test_nothing_is_asked_of_the_kinds_of_characters(password: str) -> None:
    password = unicodedata.normalize("NFC", password)
    assume(15 <= len(password) <= 256 and len(set(password)) >= 15)
    assert refusal(password) in (None, PASSWORD_GUESSABLE, PASSWORD_CONTEXT)
