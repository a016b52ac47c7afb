"""Owns the page that shows the mails: as text with links, nothing in them is ever executed."""

from __future__ import annotations

import html
import re
from dataclasses import asdict
from datetime import UTC, datetime

from aiohttp import web
from aiohttp.typedefs import Handler

from deploy.sandbox.mail.mailbox import Mail, Mailbox

_LINK = re.compile(r"https?://[^\s<>\"']+")
_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
article { border: 1px solid color-mix(in srgb, currentColor 20%, transparent); border-radius: 10px;
  padding: 1rem 1.25rem; margin: 1rem 0; }
h1 { font-size: 1.35rem; } h2 { font-size: 1.05rem; margin: 0; }
p.about { color: color-mix(in srgb, currentColor 65%, transparent); margin: .25rem 0 .75rem; font-size: .9rem; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font: inherit; margin: 0; }
"""
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def application(mailbox: Mailbox, hosts: frozenset[str]) -> web.Application:
    """Return the page's application; requests for another host than these are refused (no DNS rebinding)."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.host not in hosts:
            raise web.HTTPMisdirectedRequest
        response = await handler(request)
        response.headers.update(_HEADERS)
        return response

    async def index(_request: web.Request) -> web.Response:
        return web.Response(text=_render(mailbox.newest()), content_type="text/html")

    async def style(_request: web.Request) -> web.Response:
        return web.Response(text=_STYLE, content_type="text/css")

    async def messages(request: web.Request) -> web.Response:
        recipient = request.query.get("recipient")
        found = [asdict(mail) for mail in mailbox.newest() if recipient in (None, mail.recipient)]
        return web.json_response(found)

    made = web.Application(middlewares=[guard])
    made.router.add_get("/", index)
    made.router.add_get("/style.css", style)
    made.router.add_get("/messages", messages)
    return made


def _render(mails: list[Mail]) -> str:
    shown = "".join(_article(mail) for mail in mails) or "<p>No mail yet. Sign up, and it arrives here.</p>"
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        '<title>Mail sandbox</title><link rel="stylesheet" href="/style.css"><main><h1>Mail sandbox</h1>'
        "<p class=about>Every mail that Valv sends in development ends here. Nothing leaves this machine. "
        f"Reload to see new mail.</p>{shown}</main></html>"
    )


def _article(mail: Mail) -> str:
    when = datetime.fromtimestamp(mail.received, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    text = "".join(_linked(mail.text))
    return (
        f"<article><h2>{html.escape(mail.subject)}</h2>"
        f"<p class=about>to {html.escape(mail.recipient)}, {when}</p><pre>{text}</pre></article>"
    )


def _linked(text: str) -> list[str]:
    pieces, position = [], 0
    for found in _LINK.finditer(text):
        link = html.escape(found[0])
        pieces += [html.escape(text[position : found.start()]), f'<a href="{link}" rel="noreferrer">{link}</a>']
        position = found.end()
    return [*pieces, html.escape(text[position:])]
