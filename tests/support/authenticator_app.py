"""What a person does with an authenticator app: wait when a code is about to change, then read it off."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyotp

STEP = 30
TYPING = 5
"""Seconds of a step in which nobody begins to type its code."""


def shown(app: pyotp.TOTP, steps: int = 0) -> str:
    """Return the code that the app shows, so many steps from now."""
    left = STEP - time.time() % STEP
    if left < TYPING:
        time.sleep(left)
    return app.at(datetime.now(UTC), counter_offset=steps)
