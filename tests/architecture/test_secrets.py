from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import chain

import pytest

from services.kit.policy import methods_of
from tests.architecture.repository import ROOT, tracked
from tests.architecture.test_policies import services

# Classes of one character keep this file from finding itself.
FORBIDDEN = {
    "private key": r"-----BEGIN [A-Z ]*PRIVATE[ ]KEY-----",
    "package registry": r"(?i)\b(pypi[.]org|pythonhosted[.]org|registry[.]npmjs[.]org|deb[.]debian[.]org)",
    "path of somebody's machine": r"(?<![\w.])/(work|root|home/\w+|Users/\w+|tmp/v)/",
    "live key of a payment gateway": r"\b[sr]k_live_\w",
    "AWS access key": r"\bAKIA[0-9A-Z]{16}\b",
}


@pytest.mark.parametrize("kind", FORBIDDEN)
def test_the_repository_holds_no(kind: str) -> None:
    pattern = re.compile(FORBIDDEN[kind].encode())
    found = [
        f"{name}:{number}"
        for name in tracked()
        for number, line in enumerate((ROOT / name).read_bytes().splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == []


def shown(expression: ast.expr) -> Iterator[str]:
    """Yield what takes a secret's value, or a digest of something, in an expression; a length is none."""
    if isinstance(expression, ast.Call) and isinstance(expression.func, ast.Name) and expression.func.id == "len":
        return
    if isinstance(expression, ast.Call) and isinstance(expression.func, ast.Attribute):
        yield expression.func.attr
    yield from chain.from_iterable(shown(one) for one in ast.iter_child_nodes(expression) if isinstance(one, ast.expr))


@pytest.mark.clause("ASVS 11.2.4")
def test_no_secret_is_compared_but_in_constant_time() -> None:
    """``Secret`` refuses ``==``; here nobody takes its value out, or makes a digest, only to compare it themselves."""
    found, seen = [], 0
    for name in tracked():
        if not (name.startswith("services/") and name.endswith(".py")):
            continue
        for node in ast.walk(ast.parse((ROOT / name).read_text("utf-8"))):
            seen += isinstance(node, ast.Attribute) and node.attr in ("reveal", "text", "compare_digest")
            if isinstance(node, ast.Compare):
                taken = {word for side in (node.left, *node.comparators) for word in shown(side)}
                if taken & {"reveal", "text", "digest", "hexdigest"}:
                    found.append(f"{name}:{node.lineno}: {ast.unparse(node)}")
    assert seen > 50, "the search finds nothing: it is broken"
    assert found == []


@pytest.mark.clause("ASVS 14.2.1")
def test_no_route_takes_a_secret_in_its_address() -> None:
    """Neither in a path nor in a query: what is not in the body is."""
    seen, found = 0, []
    for service in services():
        for method in methods_of(service):
            request = service.methods_by_name[method.full_name.rpartition("/")[2]].input_type
            secret = {field.name for field in request.fields if field.GetOptions().debug_redact}
            for binding in method.bindings:
                seen += len(secret)
                if binding.body != "*":
                    found += [f"{method.full_name}: {name}" for name in secret - {binding.body}]
                found += [f"{method.full_name}: {name}" for name in secret if f"{{{name}" in binding.path]
    assert seen > 20, "the search finds nothing: it is broken"
    assert found == []
