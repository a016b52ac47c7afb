"""Limits for tests and measurements in which all people share one address and few accounts."""

from __future__ import annotations

import re
from pathlib import Path

from services.auth.throttle_rules import DEFAULT

TIMES = 10000


def lift(config: Path, times: int = TIMES) -> None:
    """Make the auth service of this configuration admit that many times what its shipped throttle file does.

    Failures in a row stay as they are: a success ends them.
    """
    rules = DEFAULT.read_text("utf-8")
    lifted = re.sub(r"count = (\d+)", lambda found: f"count = {int(found[1]) * times}", rules)
    (config.parent / "throttle.toml").write_text(lifted, "utf-8")
    config.write_text('throttle_file = "throttle.toml"\n' + config.read_text("utf-8"), "utf-8")
