"""Owns `valv practices`: how the promises of a running Valv stand, as its public page tells everybody.

Must never call kept what is not: the exit code is 1 when a promise is broken, 2 when one is not known, 3 when Valv does
not answer.
"""

from __future__ import annotations

import argparse
import ssl
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from deploy.cli.layout import REPOSITORY, Layout
from services.kit.clock import SystemClock

KEPT, BROKEN, UNKNOWN, AWAY = 0, 1, 2, 3
_SECONDS = 15.0
_WORDS = {
    "STATE_KEPT": "kept",
    "STATE_BROKEN": "BROKEN",
    "STATE_UNKNOWN": "unknown",
    "STATE_NO_CHECK": "no check",
}
_UNITS = {
    "UNIT_BITS": " bits",
    "UNIT_DAYS": " days",
    "UNIT_MINUTES": " min",
    "UNIT_MILLISECONDS": " ms",
}


def main(arguments: list[str]) -> int:
    """Run the command; returns the exit code."""
    here = Layout(REPOSITORY / "var")
    parser = argparse.ArgumentParser(
        prog="valv practices",
        description="How the promises stand. Exit code: 0 all kept, 1 one is broken, 2 one is not known, 3 no answer.",
    )
    parser.add_argument("--url", help="where Valv is; this machine's own when absent")
    parser.add_argument("--ca", type=Path, help="trust this authority instead of the system's")
    flags = parser.parse_args(arguments)
    authority = flags.ca or (None if flags.url else here.certificates / "browser" / "ca.pem")
    try:
        trust = ssl.create_default_context(cafile=authority)
        with httpx.Client(verify=trust, timeout=_SECONDS) as http:
            reply = http.get(f"{flags.url or here.address}/v1/practices").raise_for_status().json()
    except (OSError, httpx.HTTPError, ValueError) as error:
        sys.stderr.write(f"Valv does not say: {type(error).__name__}\n")
        return AWAY
    practices = reply.get("practices", [])
    sys.stdout.writelines(f"{line}\n" for line in report(practices, SystemClock().now()))
    return verdict(practices)


def verdict(practices: list[dict[str, Any]]) -> int:
    """Return the exit code: the worst state decides. A Valv without promises is not known either."""
    states = {practice.get("state", "STATE_UNKNOWN") for practice in practices}
    if "STATE_BROKEN" in states:
        return BROKEN
    return UNKNOWN if "STATE_UNKNOWN" in states or not practices else KEPT


def report(practices: list[dict[str, Any]], now: datetime) -> Iterator[str]:
    """Yield the lines: each promise with its checks, then the alerts that are open."""
    alerts = []
    for practice in practices:
        yield f"{practice['promise']:4}{_word(practice)}"
        for check in practice.get("checks", []):
            yield f"    {check['check']:34} {_word(check):8} {_measured(check):28} {_age(check.get('time'), now)}"
            if "alertTime" in check:
                alerts.append(f"    {check['check']:34} since {check['alertTime']} ({_age(check['alertTime'], now)})")
    yield f"{len(alerts)} alerts are open" + (":" if alerts else "")
    yield from alerts


def _word(named: dict[str, Any]) -> str:
    return _WORDS.get(named.get("state", ""), "unknown")


def _measured(check: dict[str, Any]) -> str:
    if "measured" not in check:
        return "-"
    bound = "at least" if check.get("least") else "at most"
    return f"{check['measured']}{_UNITS.get(check.get('unit', ''), '')} ({bound} {check.get('threshold', '0')})"


def _age(time: str | None, now: datetime) -> str:
    if time is None:
        return "never run"
    passed = max(now - datetime.fromisoformat(time), timedelta())
    for unit, seconds in (("d", 86400), ("h", 3600), ("min", 60)):
        if passed.total_seconds() >= seconds:
            return f"{int(passed.total_seconds() // seconds)} {unit} ago"
    return "just now"
