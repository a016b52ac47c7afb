"""The search for card numbers in billing's own log finds one, and is not fooled by a clock."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.billing.checks import _in_log


@pytest.mark.clause("P11", "PCI DSS 3.3.1.2")
@pytest.mark.parametrize(
    "line, found",
    [
        ("a library said 4242 4242 4242 4242", 1),
        ('{"event": "call", "reference": "4242424242424242"}', 1),
        ("I1122 14:12:43.263100   26344 ssl.cc:2563] paid with 4242424242424242", 1),
        ("I1122 14:12:43.263100   26344 ssl.cc:2563] Handshake failed", 0),
        ('{"time": "2026-11-22T14:12:43.263+00:00", "event": "call"}', 0),
    ],
)
def test_a_line_of_the_log(tmp_path: Path, line: str, found: int) -> None:
    (tmp_path / "billing.log").write_text(line + "\n")
    assert _in_log(tmp_path / "billing.log") == found
