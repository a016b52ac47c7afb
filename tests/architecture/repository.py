"""Owns what the architecture tests read: the files that git keeps, the locks, the import graph."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("auth", "files", "billing", "audit", "gateway")


@cache
def tracked() -> tuple[str, ...]:
    """Returns every file of the repository, without what is generated."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    return tuple(name for name in names if name and (ROOT / name).is_file() and not name.startswith("protos/gen/"))


@cache
def packages(lock: str) -> frozenset[str]:
    """Returns the names that a hashed lock installs on Linux with CPython 3.11 to 3.13."""
    lines = (ROOT / lock).read_text().splitlines()
    elsewhere = re.compile(
        r"(sys_platform|os_name|platform_system) == '(win32|nt|Windows)'|python_full_version < '3\.11|extra =="
    )
    pins = (line for line in lines if re.match(r"[a-z0-9]", line) and not elsewhere.search(line))
    return frozenset(re.split(r"[=\[]", pin)[0] for pin in pins)


@cache
def graph() -> grimp.ImportGraph:
    """Returns who imports whom."""
    return grimp.build_graph(
        "services", include_external_packages=True, exclude_type_checking_imports=True, cache_dir=None
    )


@cache
def closure(*roots: str) -> frozenset[str]:
    """Returns every module of Valv's own that a process loads by import, packages' __init__ included."""
    loaded = set(roots).union(*(graph().find_upstream_modules(root) for root in roots))
    own = {name for name in loaded if name.startswith("services")}
    parents = {name.rsplit(".", up)[0] for name in own for up in range(1, name.count(".") + 1)}
    return frozenset(own | parents)


def path_of(module: str) -> Path:
    """Returns the file of a module."""
    base = ROOT / module.replace(".", "/")
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
