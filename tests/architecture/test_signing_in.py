"""Every way to sign in is documented, and nothing else hands out a session: read from the contracts themselves."""

from __future__ import annotations

import ast
import re

import pytest

from services.auth import own_sessions
from services.gateway import contracts
from services.kit.policy import Method, Subject
from tests.architecture.repository import ROOT, tracked
from valv.auth.v1 import account_pb2

README = (ROOT / "services" / "auth" / "README.md").read_text("utf-8")
METHODS = [method for method in contracts.methods() if method.service.startswith("valv.auth.")]


def _names(method: Method, *, output: bool = False) -> set[str]:
    message = method.output if output else method.input
    return set(message.DESCRIPTOR.fields_by_name)


@pytest.mark.clause("ASVS 6.1.3", "ASVS 6.3.4", "ASVS 7.6.2")
def test_what_hands_out_a_session_is_documented_and_nothing_else_does() -> None:
    section = README.partition("## Ways to sign in")[2].partition("\n## ")[0]
    documented = set(re.findall(r"^\| `(\w+/\w+)`", section, re.MULTILINE))
    handing = {method.full_name for method in METHODS if "session_token" in _names(method, output=True)}
    assert {name.removeprefix("/valv.auth.v1.") for name in handing} == documented


@pytest.mark.clause("ASVS 6.3.6", "NIST 800-63B-4 3.1.3")
def test_a_mail_is_no_factor() -> None:
    assert set(account_pb2.Factor.keys()) == {
        "FACTOR_UNSPECIFIED",
        "FACTOR_TOTP",
        "FACTOR_PASSKEY",
        "FACTOR_RECOVERY_CODE",
    }
    for method in METHODS:
        if method.service.endswith(".EmailService"):
            assert "session_token" not in _names(method, output=True)


@pytest.mark.clause("ASVS 6.4.2")
def test_no_contract_knows_a_hint_or_a_secret_question() -> None:
    fields = {name for method in METHODS for name in _names(method) | _names(method, output=True)}
    assert len(fields) > 20
    assert not [name for name in fields if {"hint", "question", "answer"} & set(name.split("_"))]


@pytest.mark.clause("ASVS 6.4.6")
def test_no_operator_can_see_or_set_a_credential() -> None:
    operators = [method for method in METHODS if method.policy.subject is Subject.OPERATOR]
    assert operators
    secret = {"password", "token", "code", "codes", "secret", "seed", "passkey", "challenge"}
    for method in operators:
        for name in _names(method) | _names(method, output=True):
            assert not secret & set(name.split("_")), f"{method.full_name}: {name}"


@pytest.mark.clause("ASVS 7.1.2", "ASVS 6.1.2")
def test_the_limits_of_sessions_and_passwords_are_documented() -> None:
    assert f"sees the newest {own_sessions.LISTED} " in README
    assert "Context words that no password may be little more than:" in README


@pytest.mark.clause("ASVS 6.5.3", "ASVS 11.5.1")
def test_auth_draws_randomness_from_the_system_only() -> None:
    drawn = []
    for name in tracked():
        if name.startswith("services/auth/") and name.endswith(".py"):
            for node in ast.walk(ast.parse((ROOT / name).read_text("utf-8"))):
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "random":
                    drawn.append((name, node.attr))
                assert not (isinstance(node, ast.ImportFrom) and node.module == "random"), name
    assert drawn == [("services/auth/app.py", "SystemRandom")]
