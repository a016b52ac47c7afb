"""The metrics of the live checks, for whoever watches an installation. Must never carry more than names and numbers.

``valv.practice.state``: 0 kept, 1 unknown, 2 broken; ``valv.practice.measured`` and ``valv.practice.threshold``: what
the latest run measured, and against what; ``valv.practice.runs``: how often a check ended in each state.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

from services.kit.checks import BROKEN, KEPT, UNKNOWN
from services.kit.practices import PRACTICES

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricExporter

    from services.kit.checks import Finding

EXPORT_MILLISECONDS = 15_000
_STATES = {KEPT: 0, UNKNOWN: 1, BROKEN: 2}


class Meters:
    """The process's meters, and where they report."""

    def __init__(self, role: str, exporter: MetricExporter | None) -> None:
        """Take the role, and the exporter; without one, metrics go nowhere."""
        readers = [] if exporter is None else [PeriodicExportingMetricReader(exporter, EXPORT_MILLISECONDS)]
        resource = Resource({"service.name": role, "service.namespace": "valv"})
        self._provider = MeterProvider(readers, resource, shutdown_on_exit=False)
        self.meter = self._provider.get_meter("valv")

    async def close(self) -> None:
        """Report once more and stop; off the loop, since an exporter may wait for its collector."""
        await asyncio.to_thread(self._provider.shutdown)


class PracticeGauges:
    """Shows results as OpenTelemetry metrics."""

    def __init__(self, made: metrics.Meter) -> None:
        """Take a meter."""
        self._state = made.create_gauge("valv.practice.state", description="0 kept, 1 unknown, 2 broken")
        self._measured = made.create_gauge("valv.practice.measured", description="what the latest run measured")
        self._threshold = made.create_gauge("valv.practice.threshold", description="what it was held against")
        self._runs = made.create_counter("valv.practice.runs", description="runs that ended in a state")

    def show(self, finding: Finding) -> None:
        """Show the latest result of a check."""
        practice = PRACTICES[finding.check]
        which = {"check": practice.name, "promise": practice.promise}
        self._state.set(_STATES[finding.state], which)
        self._threshold.set(finding.threshold, which)
        if finding.measured is not None:
            self._measured.set(finding.measured, which)
        self._runs.add(1, {**which, "state": finding.state})
