from __future__ import annotations

import ast
import statistics
import sys
from functools import cache

import pytest

from tests.architecture.repository import ROOT, tracked

LONGEST_FILE, LONGEST_FUNCTION, WIDEST_INTERFACE = 400, 40, 12
KINDS = (".py", ".ts", ".tsx", ".css", ".proto")


@cache
def sources(*kinds: str) -> dict[str, str]:
    return {name: (ROOT / name).read_text() for name in tracked() if name.endswith(kinds)}


@cache
def trees() -> dict[str, ast.Module]:
    return {name: ast.parse(text) for name, text in sources(".py").items()}


def test_no_file_is_longer_than_can_be_read_in_one_go(capsys: pytest.CaptureFixture[str]) -> None:
    sizes = {name: text.count("\n") for name, text in sources(*KINDS).items()}
    rooms: dict[str, int] = {}
    for name, size in sizes.items():
        room = "/".join(name.split("/")[: 2 if name.startswith("services/") else 1])
        rooms[room] = rooms.get(room, 0) + size
    largest = max(sizes, key=lambda name: sizes[name])
    summary = (
        f"{len(sizes)} files, {sum(sizes.values())} lines, median {statistics.median(sizes.values()):.0f}",
        f"largest {largest} with {sizes[largest]}",
        ", ".join(f"{room} {size}" for room, size in sorted(rooms.items())),
    )
    with capsys.disabled():
        sys.stdout.write("\n" + "\n".join(summary) + "\n")
    assert {name: size for name, size in sizes.items() if size > LONGEST_FILE} == {}


def test_no_function_is_longer_than_a_screen() -> None:
    long = {}
    # A test may tell a longer story than a function may do work.
    for name, tree in trees().items():
        if name.startswith("tests/"):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > LONGEST_FUNCTION:
                    long[f"{name}:{node.lineno} {node.name}"] = lines
    assert long == {}


def test_no_interface_asks_for_too_much() -> None:
    wide = {}
    for name, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and any(ast.unparse(base).startswith("Protocol") for base in node.bases):
                methods = [part for part in node.body if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef)]
                if len(methods) > WIDEST_INTERFACE:
                    wide[f"{name} {node.name}"] = len(methods)
    assert wide == {}


def test_modules_are_named_after_things_of_the_field() -> None:
    vague = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
    assert [name for name in tracked() if vague & set(name.removesuffix(".py").split("/"))] == []


def test_every_module_says_what_it_owns() -> None:
    mute = [
        name
        for name, tree in trees().items()
        if not name.startswith("tests/") and "/migrations/" not in name and not ast.get_docstring(tree)
    ]
    assert mute == []
