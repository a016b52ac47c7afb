"""What documents say in numbers is what the code says."""

from __future__ import annotations

import re

import pytest

from services.auth import sessions
from services.kit import assertion, watch
from tests.architecture.repository import ROOT

DECISION = (ROOT / "docs" / "adr" / "0003-sessions.md").read_text("utf-8")


@pytest.mark.clause("P7", "ASVS 7.1.1", "NIST 800-63B-4 2.2.3")
def test_the_decision_about_sessions_names_the_timeouts_that_hold() -> None:
    found = re.search(r"last activity \+ (\d+) s, sign-in \+ (\d+) h\)", DECISION)
    assert found is not None
    idle, absolute = sessions.MAX_IDLE.total_seconds(), sessions.MAX_ABSOLUTE.total_seconds()
    assert (int(found[1]), int(found[2]) * 3600) == (idle, absolute)


@pytest.mark.clause("P8")
def test_the_decision_about_sessions_names_the_seconds_of_silence_and_of_assertions() -> None:
    silence = re.search(r"Who hears nothing for (\d+) s\n\s+answers 503", DECISION)
    lifetime = re.search(r"\*\*Assertion\*\*: (\d+) seconds", DECISION)
    assert silence is not None
    assert lifetime is not None
    assert (int(silence[1]), int(lifetime[1])) == (watch.SILENT_SECONDS, assertion.LIFETIME_SECONDS)
    assert watch.KEEP_SECONDS > assertion.LIFETIME_SECONDS
