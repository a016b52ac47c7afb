"""Auth with two faults put into it, for tests that must notice.

It hashes nothing for those who have no password, and hashes slowly what is no code of the app's, not what was one.
"""

from __future__ import annotations

import hashlib
from typing import Any

from services.auth.app import build
from services.auth.config import Config
from services.auth.errors import BAD_CREDENTIALS
from services.auth.factors.totp import Totp
from services.auth.passwords import Passwords
from services.kit.faults import Fault
from services.kit.main import run

_check: Any = Passwords._check
_read: Any = Totp.read


def _leaky(passwords: Passwords, password: Any, stored: Any) -> bool:
    if stored is None:
        raise Fault(BAD_CREDENTIALS)
    return bool(_check(passwords, password, stored))


async def _slow(totp: Totp, app: Any, code: Any, skew: int = 0) -> int:
    try:
        return int(await _read(totp, app, code, skew))
    except Fault:
        hashlib.scrypt(b"code", salt=b"salt", n=1 << 14, r=8, p=2)
        raise


if __name__ == "__main__":
    Totp.read = _slow  # type: ignore[assignment, method-assign]  # the fault is planted in the class
    Passwords._check = _leaky  # type: ignore[assignment, method-assign]  # the fault is planted in the class
    raise SystemExit(run("auth", Config, build))
