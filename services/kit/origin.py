"""Owns where a call came from, as far as Valv keeps it: the address the edge saw and a coarse device class.

The ``User-Agent`` header itself is never kept: it is free text from a stranger and singles people out.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

_AGENTS = (
    ("edge", re.compile(r"\bEdgA?/")),
    ("opera", re.compile(r"\bOPR/")),
    ("firefox", re.compile(r"\b(?:Firefox|FxiOS)/")),
    ("chrome", re.compile(r"\b(?:Chrome|Chromium|CriOS|HeadlessChrome)/")),
    ("safari", re.compile(r"\bVersion/\S+.* Safari/")),
    ("curl", re.compile(r"^curl/")),
    ("wget", re.compile(r"^Wget/")),
    ("python", re.compile(r"^(?:python-requests|python-httpx|aiohttp|Python)\b")),
    ("go", re.compile(r"^Go-http-client/")),
    ("grpc", re.compile(r"^grpc-")),
)
_SYSTEMS = (
    ("android", re.compile(r"\bAndroid\b")),
    ("ios", re.compile(r"\b(?:iPhone|iPad|iPod)\b")),
    ("windows", re.compile(r"\bWindows NT\b")),
    ("macos", re.compile(r"\bMacintosh\b")),
    ("chromeos", re.compile(r"\bCrOS\b")),
    ("linux", re.compile(r"\bLinux\b")),
)
_LONGEST = 512


@dataclass(frozen=True)
class Origin:
    """Where a call came from: an IP address or "", and a device class such as "firefox/linux", "curl" or "other"."""

    address: str
    device: str


def origin_of(address: str, user_agent: str) -> Origin:
    """Return the origin from what the edge wrote; an address that is none becomes empty."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return Origin("", device_of(user_agent))
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.scope_id is not None:
        return Origin("", device_of(user_agent))  # a zone is a name from the sender's machine
    return Origin(str(mapped or parsed), device_of(user_agent))


def device_of(user_agent: str) -> str:
    """Return the device class of a User-Agent: one of a few dozen constant texts."""
    text = user_agent[:_LONGEST]
    agent = next((name for name, form in _AGENTS if form.search(text)), None)
    system = next((name for name, form in _SYSTEMS if form.search(text)), None)
    if agent is None:
        return "other"
    return f"{agent}/{system}" if system else agent
