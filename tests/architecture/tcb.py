"""Owns deploy/tcb.toml, the published list of what can see a password, a session token, a card token or a file key.

Run as `make tcb` it writes what is measured (modules, packages, where a secret is named); who is on the list, what they
see and how large they may be is written by hand and kept. Never makes a limit larger.
"""

from __future__ import annotations

import ast
import json
import tomllib
from dataclasses import asdict, dataclass, replace

from tests.architecture.repository import ROOT, closure, graph, packages, path_of

LIST = ROOT / "deploy" / "tcb.toml"
HEAD = """\
# What can see a plaintext password, a session token, a card token in use or a file key: the trusted computing base.
# Python has no walls inside a process, so a whole process is on the list once one module is. "names_secrets"
# are the modules whose code names one; "lines_at_most" only shrinks. Modules, packages and names_secrets are measured
# (make tcb), and `make check` fails when they differ from what is here.
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
