"""How live checks run: on time, within their time, unknown when they cannot tell, and said aloud when they break."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from services.kit import checks as kit_checks
from services.kit.checks import Check, Checks, ChecksConfig, Finding, UnknownError
from services.kit.metrics import PracticeGauges
from services.kit.practices import PRACTICES, Practice
from services.kit.telemetry import Log
from tests.support.said import Said

GAPS, BITS = "audit.gaps", "billing.gateway_tls"


class Kept:
    """Remembers results; refuses them when told to."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.refuse = False

    async def found(self, finding: Finding) -> None:
        if self.refuse:
            raise OSError
        self.findings.append(finding)


class Seen:
    """Remembers what was shown."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def show(self, finding: Finding) -> None:
        self.findings.append(finding)


def runner(measure: Callable[[], Awaitable[int]], kept: Kept, name: str = GAPS, threshold: int | None = None) -> Checks:
    return Checks((Check(name, measure, threshold),), kept.found, Seen().show, ChecksConfig(), Log("test"), lambda: 0.0)


def constant(value: int) -> Callable[[], Awaitable[int]]:
    async def measure() -> int:
        return value

    return measure


@pytest.mark.parametrize(
    "name, measured, threshold, state",
    [
        (GAPS, 0, None, "kept"),
        (GAPS, 1, None, "broken"),
        (BITS, 256, None, "kept"),
        (BITS, 255, None, "broken"),
        ("auth.certificate_days", 3, None, "broken"),
        ("auth.certificate_days", 3, 2, "kept"),
    ],
)
async def test_a_measure_is_held_against_its_threshold(
    name: str, measured: int, threshold: int | None, state: str
) -> None:
    kept = Kept()
    found = await runner(constant(measured), kept, name, threshold).once(name)
    held = PRACTICES[name].threshold if threshold is None else threshold
    assert kept.findings == [found] == [Finding(name, state, measured, held)]


@pytest.mark.clause("PCI DSS 10.7.2")
@pytest.mark.parametrize("error", [OSError(), UnknownError(), ZeroDivisionError()])
async def test_a_check_that_raises_is_unknown(error: Exception) -> None:
    async def measure() -> int:
        raise error

    assert (await runner(measure, Kept()).once(GAPS)) == Finding(GAPS, "unknown", None, 0)


async def test_a_check_that_takes_too_long_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Practice(GAPS, "P5", seconds=0.01)
    monkeypatch.setattr(kit_checks, "PRACTICES", {GAPS: slow})

    async def measure() -> int:
        await asyncio.Event().wait()
        return 0

    async with asyncio.timeout(0.5):
        assert (await runner(measure, Kept()).once(GAPS)).state == "unknown"


async def test_a_check_that_is_not_in_the_table_does_not_start() -> None:
    with pytest.raises(KeyError):
        runner(constant(0), Kept(), "audit.made_up")


@pytest.mark.clause("PCI DSS 10.7.2")
async def test_a_break_is_said_once_as_an_error_and_its_end_too() -> None:
    value, said = 0, Said()

    async def measure() -> int:
        return value

    checks = Checks((Check(GAPS, measure),), Kept().found, Seen().show, ChecksConfig(), said, lambda: 0.0)
    for value in (0, 2, 3, 0, 0):  # noqa: B007 - the measure reads it
        await checks.once(GAPS)
    assert said.lines == [("ERROR", "practice broken"), ("INFO", "practice kept again")]


def _pauses(monkeypatch: pytest.MonkeyPatch, rounds: int) -> list[float]:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) > rounds:
            raise asyncio.CancelledError

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return pauses


async def _keep(checks: Checks) -> None:
    with pytest.raises(asyncio.CancelledError):
        await checks._keep(PRACTICES[GAPS])


async def test_it_runs_soon_after_a_start_and_then_in_its_period_with_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = _pauses(monkeypatch, 2)
    chances = iter((0.5, 0.0, 1.0))
    await _keep(
        Checks(
            (Check(GAPS, constant(0)),), Kept().found, Seen().show, ChecksConfig(), Log("test"), lambda: next(chances)
        )
    )
    assert pauses == [5.0, 600.0, 540.0]


async def test_it_runs_more_often_where_that_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = _pauses(monkeypatch, 1)
    config = ChecksConfig(at_least_every_seconds=20)
    await _keep(Checks((Check(GAPS, constant(0)),), Kept().found, Seen().show, config, Log("test"), lambda: 0.0))
    assert pauses == [0.0, 20.0]


async def test_what_was_unknown_or_not_recorded_is_tried_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken() -> int:
        raise OSError

    kept = Kept()
    for measure, kept.refuse in ((broken, False), (constant(0), True)):
        pauses = _pauses(monkeypatch, 1)
        await _keep(runner(measure, kept))
        assert pauses == [0.0, 15.0]


async def test_what_stays_unknown_is_recorded_once() -> None:
    value: int | None = None

    async def measure() -> int:
        if value is None:
            raise UnknownError
        return value

    kept = Kept()
    checks = runner(measure, kept)
    for value in (None, None, 0, None, None):  # noqa: B007 - the measure reads it
        await checks.once(GAPS)
    assert [finding.state for finding in kept.findings] == ["unknown", "kept", "unknown"]


async def test_metrics_tell_state_measure_and_threshold() -> None:
    reader = InMemoryMetricReader()
    gauges = PracticeGauges(MeterProvider([reader]).get_meter("test"))
    gauges.show(Finding(GAPS, "kept", 0, 0))
    gauges.show(Finding(GAPS, "broken", 4, 0))
    data = reader.get_metrics_data()
    assert data is not None
    points: list[tuple[str, Any]] = [
        (metric.name, point)
        for metric in data.resource_metrics[0].scope_metrics[0].metrics
        for point in metric.data.data_points
    ]
    found = {(name, point.attributes.get("state")): (point.value, point.attributes["check"]) for name, point in points}
    assert found == {
        ("valv.practice.state", None): (2, GAPS),
        ("valv.practice.measured", None): (4, GAPS),
        ("valv.practice.threshold", None): (0, GAPS),
        ("valv.practice.runs", "kept"): (1, GAPS),
        ("valv.practice.runs", "broken"): (1, GAPS),
    }
