"""The promises' live checks: which there are, which promise each backs, how often it runs, and what it must measure.

Owns the one table that the services run by and the log judges by. Must never run a check.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType

_STORED = ("auth", "files", "billing", "audit")
_ALL = (*_STORED, "gateway")
_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


class Unit(StrEnum):
    """What a check measures in."""

    COUNT = "count"
    BITS = "bits"
    DAYS = "days"
    MINUTES = "minutes"
    MILLISECONDS = "milliseconds"


@dataclass(frozen=True, slots=True)
class Practice:
    """A live check. The service that its name begins with runs it.

    Attributes:
        name: ``<role>.<what>``.
        promise: ``P1`` to ``P15``.
        threshold: What is measured may not be more; with ``least``, it may not be less.
        least: The threshold is the least.
        unit: What is measured.
        period: How often it runs at least.
        seconds: How long one run may take.
        optional: It runs only where an installation has what it looks at; elsewhere it is no check rather than an
            unknown one.
    """

    name: str
    promise: str
    threshold: int = 0
    least: bool = False
    unit: Unit = Unit.COUNT
    period: timedelta = _HOUR
    seconds: float = 60.0
    optional: bool = False

    @property
    def role(self) -> str:
        """Who runs it."""
        return self.name.partition(".")[0]

    def holds(self, measured: int, threshold: int) -> bool:
        """Tell whether what was measured is within a threshold."""
        return measured >= threshold if self.least else measured <= threshold


def _days_left(name: str) -> Practice:
    return Practice(name, "P12", 7, least=True, unit=Unit.DAYS)


_TABLE = (
    *(Practice(f"{role}.listeners", "P3", period=10 * _MINUTE) for role in _ALL),
    *(Practice(f"{role}.policies", "P3", period=_DAY) for role in _ALL),
    Practice("gateway.doors", "P3", period=_HOUR / 2),
    Practice("gateway.edge_listeners", "P3", period=10 * _MINUTE, optional=True),
    Practice("audit.gaps", "P5", period=10 * _MINUTE),
    Practice("audit.checkpoint_age", "P5", 5000, unit=Unit.MILLISECONDS, period=10 * _MINUTE),
    Practice("audit.tree_intact", "P5", period=10 * _MINUTE, seconds=300.0),
    *(Practice(f"{role}.outbox", "P5", period=10 * _MINUTE, seconds=300.0) for role in _STORED),
    *(Practice(f"{role}.statement", "P5", period=_DAY, seconds=900.0) for role in _STORED),
    Practice("audit.reconciliation", "P5", period=_DAY, seconds=900.0),
    Practice("gateway.unrecorded_requests", "P5", period=10 * _MINUTE),
    Practice("audit.clock_skew", "P5", 5000, unit=Unit.MILLISECONDS, period=10 * _MINUTE),
    Practice("audit.retention_sweep", "P5", 2880, unit=Unit.MINUTES),
    *(Practice(f"{role}.clock", "P5", 1000, unit=Unit.MILLISECONDS) for role in _STORED),
    Practice("auth.password_parameters", "P6"),
    *(Practice(f"{role}.secrets_in_log", "P6", period=10 * _MINUTE) for role in _ALL),
    *(Practice(f"{role}.secrets_in_store", "P6") for role in _STORED),
    Practice("auth.longest_idle_session", "P7", period=10 * _MINUTE),
    Practice("auth.revoked_sessions_validate", "P8", period=10 * _MINUTE),
    Practice("auth.mail_waiting", "P9", 15, unit=Unit.MINUTES, period=10 * _MINUTE),
    Practice("auth.links_without_consent", "P10"),
    Practice("auth.link_tokens_unsealed", "P10"),
    *(Practice(f"{role}.card_numbers_in_log", "P11", period=10 * _MINUTE) for role in _ALL),
    *(Practice(f"{role}.card_numbers_in_store", "P11") for role in _STORED),
    Practice("billing.gateway_tls", "P12", 256, least=True, unit=Unit.BITS),
    Practice("billing.attestation_age", "P12", 365, unit=Unit.DAYS, period=_DAY, optional=True),
    Practice("gateway.edge_tls", "P12", 256, least=True, unit=Unit.BITS),
    Practice("gateway.edge_hsts", "P12", 730, least=True, unit=Unit.DAYS, optional=True),
    Practice("gateway.edge_plain_http", "P12"),
    _days_left("gateway.edge_certificate_days"),
    *(_days_left(f"{role}.certificate_days") for role in _ALL),
    Practice("files.ciphertext_at_rest", "P13", seconds=300.0),
    Practice("files.blobs_present", "P13", period=6 * _HOUR, seconds=1800.0),
    Practice("files.orphaned_keys", "P13", period=6 * _HOUR, seconds=1800.0),
)
PRACTICES = MappingProxyType({practice.name: practice for practice in _TABLE})
