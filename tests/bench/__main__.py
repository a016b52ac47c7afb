"""Owns `make bench`: runs every bench_*.py, or those named, and prints what they measured and on what machine."""

from __future__ import annotations

import os
import platform
import sys
import time
from importlib import import_module
from pathlib import Path


def main() -> int:
    """Measures; returns 1 when a name belongs to no measurement."""
    known = sorted(path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py"))
    wanted = sys.argv[1:] or known
    if unknown := set(wanted) - set(known):
        sys.stdout.write(f"no such measurement: {', '.join(sorted(unknown))}; there are {', '.join(known)}\n")
        return 1
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    sys.stdout.write(f"{machine}, {time.strftime('%Y-%m-%d')}\n")
    for name in wanted:
        sys.stdout.write(f"\n{name}: measuring ...\n")
        sys.stdout.flush()
        started = time.monotonic()
        numbers: dict[str, float] = import_module(f"tests.bench.bench_{name}").run()
        for label, value in numbers.items():
            sys.stdout.write(f"  {label.replace('_', ' '):40} {value:12,.3f}\n")
        sys.stdout.write(f"  ({time.monotonic() - started:.0f} s)\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
