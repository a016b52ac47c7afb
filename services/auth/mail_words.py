"""Owns the words that mails put in for codes: devices, places and times, in the reader's language."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.auth import places

if TYPE_CHECKING:
    from datetime import datetime

_NAMES = {"ios": "iOS", "macos": "macOS", "chromeos": "ChromeOS", "curl": "curl", "wget": "wget", "grpc": "gRPC"}
_NAMELESS = {"", "other"}
_OTHER_DEVICE = {"en": "a program we do not know", "sv": "ett program vi inte känner till"}
_PLACES = {
    "en": {
        places.THIS_MACHINE: "the machine that the service runs on",
        places.PRIVATE_NETWORK: "a private network",
        places.UNKNOWN: "not known",
    },
    "sv": {
        places.THIS_MACHINE: "maskinen som tjänsten körs på",
        places.PRIVATE_NETWORK: "ett privat nätverk",
        places.UNKNOWN: "okänt",
    },
}
_NETWORK = {"en": "the network {place}", "sv": "nätverket {place}"}


def device(code: str, locale: str) -> str:
    """Return a device class as people say it: "firefox/linux" is "Firefox, Linux"."""
    if code in _NAMELESS:
        return _OTHER_DEVICE[locale]
    return ", ".join(_NAMES.get(part, part.capitalize()) for part in code.split("/"))


def place(code: str, locale: str) -> str:
    """Return a coarse place as people say it."""
    return _PLACES[locale].get(code) or _NETWORK[locale].format(place=code)


def moment(time: datetime) -> str:
    """Return a time, in UTC and saying so: nobody's own time zone is known."""
    return f"{time:%Y-%m-%d %H:%M} UTC"
