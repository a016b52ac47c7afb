"""What `valv practices` prints and how it exits."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from deploy.cli import practices

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
CHECK = {
    "check": "gateway.edge_certificate_days",
    "state": "STATE_BROKEN",
    "time": "2026-11-22T11:29:59.123456Z",
    "measured": "3",
    "threshold": "7",
    "least": True,
    "unit": "UNIT_DAYS",
    "alertTime": "2026-11-20T12:00:00Z",
}


@pytest.mark.clause("PCI DSS 10.4.1.1")
@pytest.mark.parametrize(
    "states, code",
    [
        (["STATE_KEPT", "STATE_NO_CHECK"], 0),
        (["STATE_KEPT", "STATE_BROKEN", "STATE_UNKNOWN"], 1),
        (["STATE_KEPT", "STATE_UNKNOWN"], 2),
        (["STATE_KEPT", None], 2),
        ([], 2),
    ],
)
def test_the_worst_state_is_the_exit_code(states: list[str | None], code: int) -> None:
    found: list[dict[str, Any]] = [{"promise": "P1"} | ({"state": state} if state else {}) for state in states]
    assert practices.verdict(found) == code


def test_a_promise_is_printed_with_measure_threshold_age_and_alert() -> None:
    quiet = {"check": "gateway.doors", "state": "STATE_UNKNOWN"}
    lines = list(
        practices.report(
            [{"promise": "P12", "state": "STATE_BROKEN", "checks": [CHECK, quiet]}, {"promise": "P1"}], NOW
        )
    )
    assert [line.split() for line in lines] == [
        ["P12", "BROKEN"],
        ["gateway.edge_certificate_days", "BROKEN", "3", "days", "(at", "least", "7)", "30", "min", "ago"],
        ["gateway.doors", "unknown", "-", "never", "run"],
        ["P1", "unknown"],
        ["1", "alerts", "are", "open:"],
        ["gateway.edge_certificate_days", "since", "2026-11-20T12:00:00Z", "(2", "d", "ago)"],
    ]


def test_a_valv_that_does_not_answer_is_neither_kept_nor_broken(capsys: pytest.CaptureFixture[str]) -> None:
    assert practices.main(["--url", "https://valv.invalid.", "--ca", "/nowhere/ca.pem"]) == 3
    assert "does not say" in capsys.readouterr().err
