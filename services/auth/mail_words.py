"""Owns the words that mails put in for codes: devices, places and times, in the reader's language."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.auth import places

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from services.auth.erasures.erasure import Blocked

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
_WHY = {
    "en": {
        "owner": "you asked for it",
        "compromised": "somebody else may be able to sign in to it",
        "abuse": "it was used against our terms",
    },
    "sv": {
        "owner": "du har bett om det",
        "compromised": "någon annan kan ha möjlighet att logga in på det",
        "abuse": "det har använts i strid med våra villkor",
    },
}
_NOTHING = {"en": "nothing", "sv": "ingenting"}
_KINDS = {
    "en": {"charge": "records of payments", "refund": "records of refunds", "file": "files"},
    "sv": {"charge": "betalningsuppgifter", "refund": "återbetalningsuppgifter", "file": "filer"},
}
_KEPT = {
    "en": {
        "statutory": "{kind} ({count}), which the law demands{until}",
        "legal_hold": "{kind} ({count}), on which there is a legal hold{until}",
    },
    "sv": {
        "statutory": "{kind} ({count}), som lagen kräver{until}",
        "legal_hold": "{kind} ({count}), som är rättsligt spärrade{until}",
    },
}
_UNTIL = {"en": " until {day}", "sv": " till och med {day}"}
_NETWORK = {"en": "the network {place}", "sv": "nätverket {place}"}


def device(code: str, locale: str) -> str:
    """Return a device class as people say it: "firefox/linux" is "Firefox, Linux"."""
    if code in _NAMELESS:
        return _OTHER_DEVICE[locale]
    return ", ".join(_NAMES.get(part, part.capitalize()) for part in code.split("/"))


def place(code: str, locale: str) -> str:
    """Return a coarse place as people say it."""
    return _PLACES[locale].get(code) or _NETWORK[locale].format(place=code)


def why_disabled(cause: str, locale: str) -> str | None:
    """Return why an account is disabled; None when it is not, or the law may forbid to say so."""
    return _WHY[locale].get(cause)


def kept(blocked: Sequence[Blocked], locale: str) -> str:
    """Return what an erasure had to leave, and why, in words."""
    if not blocked:
        return _NOTHING[locale]
    return "; ".join(
        _KEPT[locale][item.cause].format(
            count=item.count,
            kind=_KINDS[locale].get(item.kind, item.kind),
            until=_UNTIL[locale].format(day=f"{item.until:%Y-%m-%d}") if item.until else "",
        )
        for item in blocked
    )


def moment(time: datetime) -> str:
    """Return a time, in UTC and saying so: nobody's own time zone is known."""
    return f"{time:%Y-%m-%d %H:%M} UTC"
