"""Owns the export of spans and metrics over OTLP. Must never send one in the clear beyond this machine."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter


def exporter(endpoint: str, *, development: bool) -> OTLPSpanExporter:
    """Return an exporter of spans to a collector; raises as ``_insecure`` does."""
    return OTLPSpanExporter(endpoint=endpoint, insecure=_insecure(endpoint, development=development))


def metric_exporter(endpoint: str, *, development: bool) -> OTLPMetricExporter:
    """Return an exporter of metrics to a collector; raises as ``_insecure`` does."""
    return OTLPMetricExporter(endpoint=endpoint, insecure=_insecure(endpoint, development=development))


def _insecure(endpoint: str, *, development: bool) -> bool:
    """Tell whether a collector is reached in the clear.

    Args:
        endpoint: ``https://host:port``; ``http://`` only for a loopback address in a development profile.
        development: The profile is for development.

    Raises:
        ValueError: The endpoint is not one of these.
    """
    parts = urlsplit(endpoint)
    if parts.hostname is None or parts.port is None:
        message = "an OTLP endpoint is a scheme, a host and a port"
        raise ValueError(message)
    if parts.scheme == "https":
        return False
    if parts.scheme == "http" and development and ipaddress.ip_address(parts.hostname).is_loopback:
        return True
    message = "an OTLP endpoint is reached over TLS, unless it is loopback in development"
    raise ValueError(message)
