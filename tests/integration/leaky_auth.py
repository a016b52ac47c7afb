"""Auth with a fault put into it: it hashes nothing for those who have no password. For tests that must notice."""

from __future__ import annotations

from typing import Any

from services.auth.app import build
from services.auth.config import Config
from services.auth.errors import BAD_CREDENTIALS
from services.auth.passwords import Passwords
from services.kit.faults import Fault
from services.kit.main import run

_check: Any = Passwords._check


def _leaky(passwords: Passwords, password: Any, stored: Any) -> bool:
    if stored is None:
        raise Fault(BAD_CREDENTIALS)
    return bool(_check(passwords, password, stored))


if __name__ == "__main__":
    Passwords._check = _leaky  # type: ignore[assignment, method-assign]
    raise SystemExit(run("auth", Config, build))
