"""Runs a process of ours with another wall clock: ``python -m tests.support.moved SECONDS MODULE ARGUMENTS``."""

from __future__ import annotations

import runpy
import sys
from datetime import datetime, timedelta

from services.kit import clock, main
from services.kit.clock import SystemClock


def move(by: timedelta) -> None:
    """Let what runs in this process from now on believe that it is so much later; monotonic time stays as it is."""

    class MovedClock(SystemClock):
        """The machine's clocks, one of them moved."""

        def now(self) -> datetime:
            """Return the moved wall clock."""
            return super().now() + by

    for module in (clock, main):
        vars(module)["SystemClock"] = MovedClock


if __name__ == "__main__":
    move(timedelta(seconds=float(sys.argv[1])))
    started, sys.argv = sys.argv[2], sys.argv[2:]
    runpy.run_module(started, run_name="__main__", alter_sys=True)
