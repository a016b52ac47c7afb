"""Owns what a long run says while it goes: each failure at once, so that a run that is cut off has still told them.

Never hides or changes an outcome: the summary at the end is pytest's own."""

from __future__ import annotations

import pytest

LINES = 60  # of a failure; the whole stands in the summary


class _AtOnce:
    """Prints the failures as they come."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Prints the end of a failed phase's text."""
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if not report.failed or terminal is None:
            return
        terminal.ensure_newline()
        terminal.write_line(f"{report.nodeid} failed at its {report.when}", red=True)
        for line in report.longreprtext.splitlines()[-LINES:]:
            terminal.write_line(f"  {line}")


def pytest_configure(config: pytest.Config) -> None:
    """Reports where results come together: not in the workers of a distributed run."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_AtOnce(config))
