"""Owns the export of spans over OTLP. Must never send one in the clear beyond this machine."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter


def exporter(endpoint: str, *, development: bool) -> OTLPSpanExporter:
    """Return an exporter to a collector.

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
        return OTLPSpanExporter(endpoint=endpoint, insecure=False)
    if parts.scheme == "http" and development and ipaddress.ip_address(parts.hostname).is_loopback:
        return OTLPSpanExporter(endpoint=endpoint, insecure=True)
    message = "an OTLP endpoint is reached over TLS, unless it is loopback in development"
    raise ValueError(message)
