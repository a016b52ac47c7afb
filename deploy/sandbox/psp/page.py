"""Owns what a browser gets: the card-field script, the frame with the fields, and a page of the published numbers.

The frame may be framed by the configured pages only, runs only this gateway's script and talks only to this gateway.
"""

import json
from collections.abc import Awaitable, Callable
from html import escape
from pathlib import Path

from aiohttp import web

from deploy.sandbox.psp.numbers import NUMBERS

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_FOLDER = Path(__file__).parent / "fields"

_TEXTS = {
    "en": {
        "title": "Card details",
        "number": "Card number",
        "expiry": "Expiry (MM / YY)",
        "cvc": "Security code",
        "note": "Sandbox: use a published test number, such as 4242 4242 4242 4242. Never a real card.",
        "errors": {
            "incorrect_number": "That is not a card number.",
            "card_declined": "The card was declined. The sandbox accepts its published test numbers only.",
            "invalid_expiry_month": "The expiry month is not valid.",
            "invalid_expiry_year": "The expiry year is not valid.",
            "expired_card": "The card has expired.",
            "invalid_cvc": "The security code is not valid.",
            "incorrect_cvc": "The security code is not correct.",
            "processing_error": "The card could not be processed. Try again shortly.",
            "connection": "The payment gateway could not be reached.",
            "other": "The card could not be added.",
        },
    },
    "sv": {
        "title": "Kortuppgifter",
        "number": "Kortnummer",
        "expiry": "Giltigt till (MM / ÅÅ)",
        "cvc": "Säkerhetskod",
        "note": "Sandlåda: använd ett publicerat testnummer, såsom 4242 4242 4242 4242. Aldrig ett riktigt kort.",
        "errors": {
            "incorrect_number": "Det är inget kortnummer.",
            "card_declined": "Kortet nekades. Sandlådan tar bara emot sina publicerade testnummer.",
            "invalid_expiry_month": "Månaden är inte giltig.",
            "invalid_expiry_year": "Året är inte giltigt.",
            "expired_card": "Kortet har gått ut.",
            "invalid_cvc": "Säkerhetskoden är inte giltig.",
            "incorrect_cvc": "Säkerhetskoden stämmer inte.",
            "processing_error": "Kortet kunde inte behandlas. Försök igen strax.",
            "connection": "Betaltjänsten kunde inte nås.",
            "other": "Kortet kunde inte läggas till.",
        },
    },
}

_FRAME = """<!doctype html>
<html lang="{locale}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>
<link rel="stylesheet" href="/v1/fields/frame.css"><script src="/v1/fields/frame.js" defer></script></head>
<body><form novalidate autocomplete="on" data-key="{key}" data-parent="{parent}" data-errors="{errors}">
<label>{number}<input name="number" inputmode="numeric" autocomplete="cc-number"
 aria-describedby="error" required></label>
<label>{expiry}<input name="expiry" inputmode="numeric" autocomplete="cc-exp"
 aria-describedby="error" required></label>
<label>{cvc}<input name="cvc" inputmode="numeric" autocomplete="cc-csc" maxlength="4"
 aria-describedby="error" required></label>
<p id="error" role="alert"></p><p>{note}</p></form></body></html>
"""


class Pages:
    """Serves the card fields."""

    def __init__(self, publishable_key: str, pages: tuple[str, ...]) -> None:
        """Take the publishable key and the origins of the pages that may hold the card fields."""
        self._key = publishable_key
        self._pages = pages

    def routes(self) -> list[web.RouteDef]:
        """Return the routes for browsers."""
        return [
            web.get("/", self._index),
            web.get("/healthz", self._health),
            web.get("/v1/elements.js", _file("elements.js", "text/javascript", shared=True)),
            web.get("/v1/fields", self._frame),
            web.get("/v1/fields/frame.js", _file("frame.js", "text/javascript", shared=False)),
            web.get("/v1/fields/frame.css", _file("frame.css", "text/css", shared=False)),
        ]

    async def _health(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _index(self, _request: web.Request) -> web.Response:
        rows = "".join(
            f"<tr><td><code>{number}</code></td><td>{entry.brand}</td>"
            f"<td>{entry.setup or 'added'}</td><td>{'' if entry.setup else entry.charge or 'charged'}</td></tr>"
            for number, entry in NUMBERS.items()
        )
        body = (
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>Valv sandbox payment gateway</title>'
            "<h1>Sandbox payment gateway</h1><p>It takes no money. It accepts these numbers only, with any future "
            "expiry and any security code (3 digits, Amex 4).</p><table><tr><th>Number</th><th>Brand</th>"
            f"<th>When added</th><th>When charged</th></tr>{rows}</table></html>"
        )
        headers = {"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'"}
        return web.Response(text=body, content_type="text/html", headers=headers)

    async def _frame(self, request: web.Request) -> web.Response:
        parent, locale = request.query.get("parent", ""), request.query.get("locale", "en")[:2]
        if parent not in self._pages or request.query.get("key") != self._key:
            return web.Response(status=403, text="This page may not show the card fields.")
        texts = _TEXTS.get(locale, _TEXTS["en"])
        words = {name: escape(text) for name, text in texts.items() if isinstance(text, str)}
        body = _FRAME.format(
            locale=locale if locale in _TEXTS else "en",
            key=escape(self._key),
            parent=escape(parent),
            errors=escape(json.dumps(texts["errors"])),
            **words,
        )
        headers = {
            "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
            f" base-uri 'none'; form-action 'none'; frame-ancestors {' '.join(self._pages)}",
            "Cache-Control": "no-store",
            "Cross-Origin-Resource-Policy": "cross-origin",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }
        return web.Response(text=body, content_type="text/html", headers=headers)


def _file(name: str, kind: str, *, shared: bool) -> Handler:
    """Serve one file of the card fields; a shared one may be used by other origins' pages."""
    body = (_FOLDER / name).read_bytes()
    headers = {
        "Cache-Control": "no-cache",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "cross-origin" if shared else "same-origin",
    }
    if shared:
        headers["Access-Control-Allow-Origin"] = "*"

    async def serve(_request: web.Request) -> web.Response:
        return web.Response(body=body, content_type=kind, charset="utf-8", headers=headers)

    return serve
