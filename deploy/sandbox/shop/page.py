"""Owns the shop's page: server-rendered, no script, a strict content security policy."""

import secrets
from collections.abc import Sequence
from html import escape

from aiohttp import web

from deploy.sandbox.shop.orders import PRODUCTS, Order

CSS = """
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
body { max-width: 44rem; margin: 2rem auto; padding: 0 1rem; }
ul { list-style: none; padding: 0; }
li, tr { border-bottom: 1px solid GrayText; }
li { display: flex; gap: 1rem; align-items: center; justify-content: space-between; padding: 0.75rem 0; }
table { width: 100%; border-collapse: collapse; }
caption, th, td { text-align: left; padding: 0.5rem 0.5rem 0.5rem 0; }
button { min-height: 44px; padding: 0 1rem; font: inherit; border: 1px solid; border-radius: 6px; cursor: pointer; }
button:focus-visible, a:focus-visible { outline: 3px solid Highlight; outline-offset: 2px; }
.note { border-left: 4px solid; padding: 0.5rem 1rem; }
"""

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}

_STATES = {
    "asked": "Not charged yet",
    "pending": "Being charged",
    "unknown": "Being settled: the payment gateway has not said yet",
    "succeeded": "Paid",
    "declined": "Declined",
}
_REFUNDS = {
    "pending": "Being refunded",
    "unknown": "Refund being settled",
    "succeeded": "Refunded",
    "failed": "The refund failed",
}
NOTES = {
    "CARD_NOT_FOUND": "You have no card yet. Add one in Valv, then buy again.",
    "OPERATION_IN_PROGRESS": "The charge is under way. Look again in a moment.",
    "": "Valv could not be reached. You were charged at most once; look again in a moment.",
}


def money(minor: int) -> str:
    """Show an amount of Swedish money."""
    kronor, rest = divmod(minor, 100)
    return f"{kronor} kr" if rest == 0 else f"{kronor},{rest:02} kr"


def shop(account: str | None, orders: Sequence[Order], valv: str, note: str) -> web.Response:
    """Return the page for whoever is signed in."""
    if account is None:
        link = f'<a href="{escape(valv)}">Sign in with Valv</a>'
        return _page(f'<p class="note">You are not signed in. {link}, then come back.</p>', status=401)
    parts = [f"<p>Signed in as <code>{escape(account)}</code>.</p>"]
    if note:
        parts.append(f'<p class="note" role="status">{escape(note)}</p>')
    parts += ["<h2>Buy</h2><ul>", *(_product(name) for name in PRODUCTS), "</ul>", _orders(orders)]
    parts.append(f'<p><a href="{escape(valv)}">Your cards and charges in Valv</a></p>')
    return _page("".join(parts))


def problem(status: int, text: str) -> web.Response:
    """Return a page that says what is wrong."""
    return _page(
        f'<p class="note" role="alert">{escape(text)}</p><p><a href="/">Back to the shop</a></p>', status=status
    )


def css() -> web.Response:
    """Return the style sheet."""
    return web.Response(text=CSS, content_type="text/css", headers={"X-Content-Type-Options": "nosniff"})


def _product(name: str) -> str:
    product = PRODUCTS[name]
    return (
        f"<li><span>{escape(product.title)}<br>{money(product.price_minor)}</span>"
        f'<form method="post" action="/orders"><input type="hidden" name="product" value="{name}">'
        f'<input type="hidden" name="nonce" value="{secrets.token_hex(16)}">'
        f'<button aria-label="Buy {escape(product.title)}">Buy</button></form></li>'
    )


def _orders(orders: Sequence[Order]) -> str:
    if not orders:
        return "<h2>Your orders</h2><p>None yet.</p>"
    rows = "".join(_order(order) for order in orders)
    head = "<tr><th scope=col>What</th><th scope=col>Price</th><th scope=col>State</th><th scope=col>Refund</th></tr>"
    return f"<h2>Your orders</h2><table><thead>{head}</thead><tbody>{rows}</tbody></table>"


def _order(order: Order) -> str:
    title = escape(PRODUCTS[order.product].title)
    state = _STATES[order.state] + (f" ({escape(order.decline_code)})" if order.decline_code else "")
    refund = _REFUNDS.get(order.refund, "")
    if order.state == "succeeded" and not order.refund:
        refund = (
            f'<form method="post" action="/orders/{escape(order.order_id)}/refund">'
            f'<button aria-label="Refund {title}">Refund</button></form>'
        )
    return f"<tr><td>{title}</td><td>{money(order.amount_minor)}</td><td>{state}</td><td>{refund}</td></tr>"


def _page(body: str, status: int = 200) -> web.Response:
    text = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        '<title>A small shop</title><link rel="stylesheet" href="/shop.css"></head>'
        f"<body><main><h1>A small shop</h1>{body}</main></body></html>"
    )
    return web.Response(text=text, status=status, content_type="text/html", headers=HEADERS)
