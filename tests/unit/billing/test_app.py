"""What billing says of its gateway's certification when it starts."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.billing.app import warn_of_attestation
from services.billing.config import GatewayConfig

NOW = datetime(2026, 11, 22, tzinfo=UTC)
STRIPE = GatewayConfig("https://api.stripe.com", Path("k"), "pk", "https://js.stripe.com/v3/")


class FakeLog:
    def __init__(self) -> None:
        self.warnings = 0

    def warning(self, name: str, **fields: object) -> None:
        self.warnings += 1


@pytest.mark.clause("P12")
@pytest.mark.parametrize("attested,warns", [("", 1), ("2025-11-21", 1), ("2025-11-23", 0), ("2026-11-01", 0)])
def test_an_attestation_older_than_twelve_months_is_warned_of(attested: str, warns: int) -> None:
    log = FakeLog()
    warn_of_attestation(dataclasses.replace(STRIPE, attestation_date=attested), NOW, log)
    assert log.warnings == warns


def test_the_sandbox_is_certified_by_nobody_and_says_so_otherwise() -> None:
    log = FakeLog()
    warn_of_attestation(dataclasses.replace(STRIPE, sandbox=True), NOW, log)
    assert log.warnings == 0
