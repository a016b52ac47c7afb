"""The alert rules for Prometheus ask for what the services export, and for nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from services.audit.evidence import alerts
from services.kit import metrics
from services.kit.practices import PRACTICES
from tests.architecture.repository import ROOT

RULES = (ROOT / "deploy" / "observability" / "alerts.yaml").read_text("utf-8")


def exported() -> set[str]:
    """Return the metrics' names as Prometheus spells them."""
    source = "".join(Path(str(module.__file__)).read_text("utf-8") for module in (metrics, alerts))
    made = re.findall(r'create_(gauge|counter)\("([\w.]+)"', source)
    return {name.replace(".", "_") + ("_total" if kind == "counter" else "") for kind, name in made}


def test_the_rules_name_the_metrics_that_there_are() -> None:
    assert set(re.findall(r"\bvalv_\w+", RULES)) == exported()


def test_the_checks_they_name_are_in_the_table() -> None:
    named = re.findall(r'check="([\w.]+)"', RULES)
    assert named
    assert set(named) <= set(PRACTICES)
    assert any(name.endswith("certificate_days") for name in PRACTICES)
