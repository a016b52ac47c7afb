"""Owns `make bench`: runs every bench_*.py, or those named, prints what they measured, and with --write keeps it."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from importlib import import_module, metadata
from pathlib import Path

from deploy.cli.layout import REPOSITORY

PAGE = REPOSITORY / "docs" / "benchmarks.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
PACKAGES = ("grpcio", "sqlalchemy", "cryptography", "argon2-cffi", "aiohttp")
Numbers = dict[str, float]


def main() -> int:
    """Measures; returns 1 when a name belongs to no measurement."""
    known = sorted(path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py"))
    parser = argparse.ArgumentParser(prog="make bench", description=main.__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(known)}; all by default")
    parser.add_argument("--write", action="store_true", help=f"keep the numbers in {PAGE.relative_to(REPOSITORY)}")
    flags = parser.parse_args()
    wanted = flags.names or known
    if unknown := set(wanted) - set(known):
        sys.stdout.write(f"no such measurement: {', '.join(sorted(unknown))}; there are {', '.join(known)}\n")
        return 1
    sys.stdout.write(f"{machine()}\n")
    measured: dict[str, Numbers] = {}
    for name in wanted:
        sys.stdout.write(f"\n{name}: measuring ...\n")
        sys.stdout.flush()
        started = time.monotonic()
        measured[name] = import_module(f"tests.bench.bench_{name}").run()
        for label, value in measured[name].items():
            sys.stdout.write(f"  {label.replace('_', ' '):45} {value:12,.3f}\n")
        sys.stdout.write(f"  ({time.monotonic() - started:.0f} s)\n")
    if flags.write:
        write(measured)
    return 0


def machine() -> str:
    """Say in a line what was measured on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    load = os.getloadavg()[0]
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in PACKAGES)
    return (
        f"{time.strftime('%Y-%m-%d')}: {_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB, "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}, {versions}. "
        f"Load before: {load:.1f}."
    )


def write(measured: dict[str, Numbers]) -> None:
    """Put the numbers between the page's marks; what was measured before and is not measured now is dropped."""
    text = PAGE.read_text("utf-8")
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    tables = [f"### {name}\n\n| | |\n|---|--:|\n{_rows(numbers)}" for name, numbers in measured.items()]
    PAGE.write_text("\n\n".join([f"{before}{BEGIN}\n{machine()}", *tables]) + f"\n{END}{after}", "utf-8")


def _rows(numbers: Numbers) -> str:
    return "\n".join(f"| {label.replace('_', ' ')} | {value:,.3f} |" for label, value in numbers.items())


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    raise SystemExit(main())
