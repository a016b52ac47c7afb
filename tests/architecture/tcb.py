"""Owns deploy/tcb.toml, the list of what can see a password, a session token, a card token or a file key, and its page.

Run as `make tcb` it writes what is measured (modules, packages, where a secret is named) and docs/tcb.md, and prints
the sizes; who is on the list, what they see and how large they may be is written by hand and kept. Never makes a limit
larger.
"""

from __future__ import annotations

import ast
import json
import sys
import tomllib
from dataclasses import asdict, dataclass, replace

from tests.architecture.repository import ROOT, closure, graph, packages, path_of

LIST = ROOT / "deploy" / "tcb.toml"
PAGE = ROOT / "docs" / "tcb.md"
HEAD = """\
# What can see a plaintext password, a session token, a card token in use or a file key: the trusted computing base.
# Python has no walls inside a process, so a whole process is on the list once one module is. "names_secrets"
# are the modules whose code names one; "lines_at_most" only shrinks. Modules, packages and names_secrets are measured
# (make tcb), and `make check` fails when they differ from what is here.
"""
TITLE = """\
# What can see a secret

This page is printed from `deploy/tcb.toml` (`make tcb`); `make check` fails when either is not what runs. It lists
every process that can see a plaintext password, a token, a card token in use or a file key: the trusted computing base.
Python has no walls inside a process, so a whole process counts once one of its modules does, with every package of its
lock file. Lines are Valv's own, rounded to hundreds; they may not pass the limit, and the limit only shrinks unless a
review says why. [test_canaries.py](../tests/e2e/test_canaries.py) plants secrets and looks for them in the memory of
every other process.

"""
# Attributes that hold a secret in the clear: fields of the contracts, and the one way out of a kit Secret.
CLEAR = {"password", "session_token", "client_secret", "reveal"}


@dataclass(frozen=True)
class Process:
    """One trusted process as the list has it."""

    sees: list[str]
    lines_at_most: int
    lock: str
    names_secrets: list[str]
    modules: list[str]
    packages: list[str]


def measured(name: str, process: Process) -> Process:
    """Returns the process with the modules, packages and places of secrets that it has now."""
    root = f"services.{name}.__main__"
    modules = sorted(closure(root)) if root in graph().modules else []
    secrets = [module for module in modules if _names_secret(module)]
    return replace(process, modules=modules, names_secrets=secrets, packages=sorted(packages(process.lock)))


def lines(process: Process) -> int:
    """Returns the lines of our own code that the process loads."""
    return sum(path_of(module).read_text().count("\n") for module in process.modules)


def read() -> dict[str, Process]:
    """Returns the list as it stands."""
    return {name: Process(**values) for name, values in tomllib.loads(LIST.read_text()).items()}


def write(processes: dict[str, Process]) -> None:
    """Writes the list."""
    blocks = [HEAD]
    for name, process in processes.items():
        lines = [f"{key} = {_toml(key, value)}" for key, value in asdict(process).items()]
        blocks.append("\n".join([f"[{name}]", *lines, ""]))
    LIST.write_text("\n".join(blocks))


def size(name: str, process: Process) -> str:
    """Returns a process's size in a line."""
    own = f"{lines(process)} lines (at most {process.lines_at_most}) in {len(process.modules)} modules"
    return f"trusted: {name}: {own}, {len(process.packages)} packages; sees {', '.join(process.sees)}"


def document() -> str:
    """Returns the published page."""
    listed = read()
    rows = ["| Process | Sees | Own lines | At most | Modules | Packages |", "|---|---|--:|--:|--:|--:|"]
    rows += [_row(name, process) for name, process in listed.items()]
    return TITLE + "\n".join(rows) + "\n" + "".join(_section(name, process) for name, process in listed.items())


def _row(name: str, process: Process) -> str:
    rounded = round(lines(process), -2)
    numbers = (f"{rounded:,}", f"{process.lines_at_most:,}", str(len(process.modules)), str(len(process.packages)))
    return f"| {name} | {', '.join(process.sees)} | {' | '.join(numbers)} |"


def _section(name: str, process: Process) -> str:
    said = [f"\n## {name}\n"]
    if process.names_secrets:
        said.append(f"Modules that name a secret: {_named(process.names_secrets)}.\n")
    if process.modules:
        said.append(f"Modules: {_named(process.modules)}.\n")
    said.append(f"Packages: {_named(process.packages)}.\n")
    return "\n".join(said)


def _named(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _toml(key: str, value: object) -> str:
    """Returns a value as TOML; JSON is TOML for strings, integers and short lists."""
    if key == "sees" or not isinstance(value, list) or not value:
        return json.dumps(value)
    return "[\n" + "".join(f"  {json.dumps(one)},\n" for one in value) + "]"


def _names_secret(module: str) -> bool:
    tree = ast.walk(ast.parse(path_of(module).read_text()))
    return any(isinstance(node, ast.Attribute) and node.attr in CLEAR for node in tree)


if __name__ == "__main__":
    write({name: measured(name, process) for name, process in read().items()})
    PAGE.write_text(document(), "utf-8")
    sys.stdout.writelines(f"{size(name, process)}\n" for name, process in read().items())
