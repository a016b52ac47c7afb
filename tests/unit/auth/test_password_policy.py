"""Which passwords are accepted, and what a person is told of those that are not."""

from __future__ import annotations

import pytest

from services.auth import password_policy
from services.auth.email_address import parse
from services.auth.errors import PASSWORD_COMMON, PASSWORD_CONTEXT, PASSWORD_TOO_LONG, PASSWORD_TOO_SHORT
from services.kit.faults import Fault, Reason
from services.kit.secret import Secret

EMAIL = parse("margareta.lindqvist@stormhatten.example")


def refusal(password: str) -> Reason | None:
    try:
        password_policy.require(Secret(password), EMAIL, "Valv")
    except Fault as fault:
        shown = fault.field, password in repr(fault)
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
