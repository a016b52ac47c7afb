"""Every action that can be recorded has a meaning in OCSF, and no other has: found in the contracts and in the code."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from services.audit.ocsf.classes import ACTIONS, Class, meaning
from services.kit.policy import Effect, methods_of
from tests.architecture.repository import ROOT, SERVICES
from tests.architecture.test_policies import services

ACTION = re.compile(rf"({'|'.join(SERVICES)}|practice)(\.[a-z][a-z0-9_]*){{2,}}|practice\.(?:check|statement)")
COMPOSED = {"{}.account.erase", "auth.erasure.{}"}
"""Actions whose name is put together where they are recorded; `written` finds out of what."""


def declared() -> set[str]:
    found = [method.policy for service in services() for method in methods_of(service)]
    return {
        action
        for policy in found
        if policy.effect is not Effect.UNRECORDED
        for action in (policy.action, *policy.alternatives)
    }


@cache
def nodes() -> tuple[ast.AST, ...]:
    sources = [path for path in (ROOT / "services").rglob("*.py") if "ocsf" not in path.parts]
    return tuple(node for path in sources for node in ast.walk(ast.parse(path.read_text("utf-8"))))


def written() -> set[str]:
    texts = {node.value for node in nodes() if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    found = {text for text in texts if ACTION.fullmatch(text)}
    for node in nodes():
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            second = node.args[1].value if len(node.args) > 1 and isinstance(node.args[1], ast.Constant) else None
            if called == "event_of" and isinstance(second, str):
                found.add(f"{second}.account.erase")
            if called == "erasure" and isinstance(second, str):
                found.add(f"auth.erasure.{second}")
    return found


def composed() -> set[str]:
    """Returns what looks like an action with a part that is only known when it is recorded."""
    found = set()
    for node in nodes():
        if isinstance(node, ast.JoinedStr):
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
            if re.fullmatch(r"([a-z_]+|\{\})(\.([a-z_]+|\{\})){2,}", text) and ACTION.fullmatch(
                text.replace("{}", "auth", 1) if text.startswith("{}") else text.replace("{}", "x")
            ):
                found.add(text)
    return found


@pytest.mark.clause("PCI DSS 10.2.2", "ASVS 16.2.1")
def test_every_action_that_can_be_recorded_has_a_meaning_in_ocsf() -> None:
    recorded = declared() | written()
    assert {"auth.session.open", "auth.session.challenge", "auth.erasure.end", "files.account.erase"} <= recorded
    assert sorted(recorded - set(ACTIONS)) == [], "say in services/audit/ocsf/classes.py what these are"
    assert sorted(set(ACTIONS) - recorded) == [], "nothing records these any more"


def test_no_other_action_is_put_together_while_it_is_recorded() -> None:
    assert composed() == COMPOSED


def test_a_refused_call_of_a_method_without_a_record_is_an_api_activity() -> None:
    found = meaning("/valv.auth.v1.SessionService/Check")
    assert (found.kind, found.activity, found.caption) == (Class.API, 99, "Refused")


def test_an_action_of_another_version_goes_out_as_unknown() -> None:
    found = meaning("files.file.teleport")
    assert (found.kind, found.activity, found.caption) == (Class.API, 0, "Unknown")
