"""Owns what travels with the current call without being passed: its request id, its deadline, that somebody waits.

The server sets them, the client side and the log read them. The trace travels in OpenTelemetry's own context. Nothing
here may decide who the caller is.
"""

from __future__ import annotations

from contextvars import ContextVar

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The request id the client was told; empty outside a call."""

deadline: ContextVar[float | None] = ContextVar("deadline", default=None)
"""When the current call must have answered, in seconds of ``Clock.monotonic()``; None when it may take for ever."""

awaited: ContextVar[bool] = ContextVar("awaited", default=False)
"""Whether somebody waits for what is being done; False for what a service does by itself, or an operator gave time."""
