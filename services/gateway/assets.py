"""Owns the reading of the built web client: every file becomes one page that Envoy answers from its configuration.

Hashed names never change and are cached for a year; ``index.html`` answers every address of the client and is asked for
again each time. Must never read outside its folder.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.gateway import headers

if TYPE_CHECKING:
    from pathlib import Path

INDEX = "index.html"
ROUTES = "routes.json"
CARD_PAGE = "/cards"
CLIENT_ROUTES = (
    "/",
    "/sign-up",
    "/sign-in",
    "/confirm",
    "/files",
    "/cards",
    "/charges",
    "/activity",
    "/account",
    "/security",
    "/legal",
    "/legal/terms",
    "/legal/privacy",
    "/legal/security",
    "/legal/retention",
    "/legal/contact",
)
LARGEST = 4 << 20
IMMUTABLE = "public, max-age=31536000, immutable"
REVALIDATE = "no-cache"
HASHED_FOLDER = "assets"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
_COMPRESSIBLE = ("text/", "application/json", "image/svg+xml")


class AssetError(Exception):
    """The built web client cannot be served as it is; the message names the file."""


@dataclass(frozen=True)
class Page:
    """One address and what it answers."""

    path: str
    body: bytes
    headers: tuple[tuple[str, str], ...]

    @property
    def compressible(self) -> bool:
        """Whether gzip is worth it. Nothing secret is in it, so compression reveals nothing."""
        return dict(self.headers)["content-type"].startswith(_COMPRESSIBLE)


def document(path: str, body: bytes, content_type: str) -> Page:
    """Return a generated document, such as the OpenAPI description."""
    return Page(path, body, (("content-type", content_type), ("cache-control", REVALIDATE)))


def read(folder: Path, card_origin: str | None) -> tuple[Page, ...]:
    """Read a built client.

    Raises:
        AssetError: There is no index, or a file is a link, too large, or of a type that is not known.
    """
    if not (folder / INDEX).is_file():
        message = f"no built web client: {INDEX} is missing"
        raise AssetError(message)
    files = sorted(path for path in folder.rglob("*") if path.is_symlink() or path.is_file())
    plain = [path for path in files if path.relative_to(folder).as_posix() not in (INDEX, ROUTES)]
    index = _body(folder / INDEX)
    return (
        *(_client_route(route, index, card_origin) for route in _routes(folder)),
        *(_asset(path, path.relative_to(folder).as_posix()) for path in plain),
    )


def _client_route(route: str, index: bytes, card_origin: str | None) -> Page:
    """The card fields' origin is admitted on the card page alone, so the client must load that page anew."""
    policy = headers.page_policy(card_origin if route == CARD_PAGE else None)
    kind = ("content-type", _TYPES[".html"])
    return Page(route, index, (kind, ("cache-control", REVALIDATE), ("content-security-policy", policy)))


def _asset(path: Path, name: str) -> Page:
    kind = _TYPES.get(path.suffix)
    if kind is None:
        message = f"a file of unknown type: {name}"
        raise AssetError(message)
    cache = IMMUTABLE if name.startswith(HASHED_FOLDER + "/") else REVALIDATE
    return Page(f"/{name}", _body(path), (("content-type", kind), ("cache-control", cache)))


def _body(path: Path) -> bytes:
    if path.is_symlink() or path.stat().st_size > LARGEST:
        message = f"a file is a link or larger than {LARGEST} bytes: {path.name}"
        raise AssetError(message)
    return path.read_bytes()


def _routes(folder: Path) -> tuple[str, ...]:
    """The client's own list of its addresses, if it brings one."""
    path = folder / ROUTES
    if not path.is_file():
        return CLIENT_ROUTES
    routes = json.loads(path.read_bytes())
    if not isinstance(routes, list) or not all(isinstance(route, str) and route.startswith("/") for route in routes):
        message = f"{ROUTES} is not a list of addresses"
        raise AssetError(message)
    return tuple(routes)
