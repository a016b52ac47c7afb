"""Owns what a browser remembers and a sign-in may see: the token of its device and that of its earlier session.

Every other route drops them. The filter is off unless the route's policy says that the call changes who is signed in.
"""

from __future__ import annotations

from services.gateway.xds.names import (
    DEVICE,
    DEVICE_COOKIE,
    EARLIER_SESSION,
    HTTP,
    REMEMBERED,
    SESSION_COOKIE,
    SESSION_HEADER,
)
from services.gateway.xds.protos import Table, extension

_METADATA = "valv.remembered"


def remembered_filter() -> Table:
    """Note both tokens where the route can read them; the header of an API client counts before the cookie."""
    rules = [
        {"cookie": SESSION_COOKIE, "on_header_present": _entry("session")},
        {"header": SESSION_HEADER, "on_header_present": _entry("session")},
        {"cookie": DEVICE_COOKIE, "on_header_present": _entry("device")},
    ]
    filter_ = extension(REMEMBERED, f"{HTTP}.header_to_metadata.v3.Config", {"request_rules": rules})
    return {**filter_, "disabled": True}


def remembered_headers() -> list[Table]:
    """Return what a route adds to its request; what the browser does not remember adds nothing."""
    return [_added(EARLIER_SESSION, "session"), _added(DEVICE, "device")]


def _entry(key: str) -> Table:
    return {"metadata_namespace": _METADATA, "key": key, "type": "STRING"}


def _added(name: str, key: str) -> Table:
    header = {"key": name, "value": f"%DYNAMIC_METADATA({_METADATA}:{key})%"}
    return {"header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
