"""Somebody is told when a check breaks or falls silent, once, in every place, until it is over."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from sqlalchemy import select

from services.audit.evidence.alerts import BROKEN_REASON, SILENT, UNKNOWN_REASON, Alerts
from services.audit.evidence.sql import SqlAlerts
from services.audit.journal import Journal
from services.audit.store import Evidence
from services.audit.tables import METADATA
from services.kit.checks import Finding
from services.kit.practices import PRACTICES
from tests.support.said import Said
from tests.unit.audit.world import World
from valv.audit.v1 import event_pb2

GAPS = "audit.gaps"


class Results:
    """Results that a test sets; every check is kept."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.states = dict.fromkeys(PRACTICES, "kept")

    async def evidence(self) -> dict[str, Evidence]:
        now = self._world.clock.now()
        return {
            name: Evidence(Finding(name, state, 1, 0), now, "evt_x", 1) for name, state in self.states.items() if state
        }


class Stand:
    """The alerts of a log, and all places where they are told."""

    def __init__(self, world: World) -> None:
        self.world, self.results, self.reader = world, Results(world), InMemoryMetricReader()
        self.said = Said()
        self.store = SqlAlerts(world.database, world.clock, Journal(world.outbox))
        meter = MeterProvider([self.reader]).get_meter("test")
        self.alerts = Alerts(self.results, self.store, world.clock, self.said, meter)

    async def entries(self) -> list[tuple[str, str, str]]:
        """Return (action, check, reason) of what was recorded."""
        async with self.world.database.read() as connection:
            rows = (await connection.execute(select(METADATA.tables["outbox"].c.event))).scalars()
            events = [event_pb2.Event.FromString(row) for row in rows]
        return [(event.action, event.object.id, event.reason) for event in events]

    def shown(self) -> dict[str, int]:
        """Return the metric, by reason."""
        data = self.reader.get_metrics_data()
        if data is None:
            return {}
        metric = data.resource_metrics[0].scope_metrics[0].metrics[0]
        points: list[Any] = list(metric.data.data_points)
        return {point.attributes["reason"]: point.value for point in points}


@pytest.fixture
def stand(world: World) -> Stand:
    return Stand(world)


@pytest.mark.clause("PCI DSS 10.4.1.1", "PCI DSS 10.7.2", "P5")
async def test_a_broken_check_raises_one_alert_everywhere_until_it_is_kept(stand: Stand) -> None:
    await stand.alerts.step()
    stand.results.states[GAPS] = "broken"
    await stand.alerts.step()
    await stand.alerts.step()
    assert [(name, alert.reason) for name, alert in (await stand.store.open()).items()] == [(GAPS, BROKEN_REASON)]
    assert stand.shown() == {BROKEN_REASON: 1}
    stand.results.states[GAPS] = "kept"
    await stand.alerts.step()
    await stand.alerts.step()
    assert await stand.store.open() == {}
    assert stand.shown() == {BROKEN_REASON: 0}
    assert await stand.entries() == [
        ("practice.alert.open", GAPS, BROKEN_REASON),
        ("practice.alert.close", GAPS, ""),
    ]
    assert stand.said.lines == [
        ("ERROR", "practice alert"),
        ("INFO", "practice alert closed"),
    ]


@pytest.mark.clause("PCI DSS 10.7.2")
@pytest.mark.parametrize("state", ["unknown", ""])
async def test_a_check_that_stays_unknown_or_falls_silent_raises_one_too(stand: Stand, state: str) -> None:
    stand.results.states[GAPS] = state
    await stand.alerts.step()
    stand.world.clock.advance(SILENT.total_seconds() - 1)
    await stand.alerts.step()
    assert await stand.store.open() == {}
    stand.world.clock.advance(1)
    await stand.alerts.step()
    assert (await stand.store.open())[GAPS].reason == UNKNOWN_REASON
    stand.results.states[GAPS] = "broken"
    await stand.alerts.step()
    assert (await stand.store.open())[GAPS].reason == BROKEN_REASON


async def test_a_moment_of_not_knowing_raises_none(stand: Stand) -> None:
    for state in ("unknown", "kept", "unknown"):
        stand.results.states[GAPS] = state
        await stand.alerts.step()
        stand.world.clock.advance((SILENT - timedelta(seconds=1)).total_seconds())
    assert await stand.store.open() == {}


async def test_a_check_that_an_installation_cannot_run_raises_none(stand: Stand) -> None:
    stand.results.states["billing.attestation_age"] = ""
    await stand.alerts.step()
    stand.world.clock.advance(SILENT.total_seconds())
    await stand.alerts.step()
    assert await stand.store.open() == {}


async def test_two_replicas_raise_and_close_one_alert(stand: Stand) -> None:
    other = Stand(stand.world)
    for one in (stand, other):
        assert await one.store.raise_(GAPS, BROKEN_REASON) is (one is stand)
    for one in (stand, other):
        assert await one.store.close(GAPS) is (one is stand)
    assert len(await stand.entries()) == 2


async def test_alerts_outlive_a_restart(stand: Stand) -> None:
    stand.results.states[GAPS] = "broken"
    await stand.alerts.step()
    again = Stand(stand.world)
    again.results.states[GAPS] = "broken"
    await again.alerts.step()
    assert len(await stand.entries()) == 1
