"""A WebDAV server (wsgidav). With the option ``ocs`` it makes and deletes app passwords, at Nextcloud's addresses.

The latest it made is in the file ``app-password``, for tests that look for it elsewhere.
"""

from __future__ import annotations

import argparse
import base64
import json
import secrets
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from wsgidav.dc.base_dc import BaseDomainController
from wsgidav.wsgidav_app import WsgiDAVApp

from tests.support.third_parties.serving import ThirdParty, Wsgi, made, serve

USER = "anna"
ROOT = "/dav/"
MAKE, DELETE = "/ocs/v2.php/core/getapppassword", "/ocs/v2.php/core/apppassword"


class Doors(BaseDomainController):  # type: ignore[misc]  # no types published
    """Who may come in: the person by password, and whoever has an app password."""

    passwords: set[str] = set()  # noqa: RUF012 - wsgidav makes the controller itself

    def get_domain_realm(self, _path: str, _environ: dict[str, Any]) -> str:
        return "files"

    def require_authentication(self, _realm: str, _environ: dict[str, Any]) -> bool:
        return True

    def supports_http_digest_auth(self) -> bool:
        return False

    def basic_auth_user(self, _realm: str, user: str, password: str, _environ: dict[str, Any]) -> bool:
        return user == USER and password in self.passwords


def build(arguments: argparse.Namespace) -> Wsgi:
    """Put the server together."""
    (arguments.folder / "files").mkdir(exist_ok=True)
    password = (arguments.folder / "password").read_text("utf-8")
    Doors.passwords = {password}
    dav = WsgiDAVApp(
        {
            "provider_mapping": {ROOT: str(arguments.folder / "files")},
            "http_authenticator": {
                "domain_controller": Doors,
                "accept_basic": True,
                "accept_digest": False,
                "default_to_digest": False,
            },
            "verbose": 0,
            "logging": {"enable": False},
        }
    )
    return _with_app_passwords(dav, password, arguments.folder) if "ocs" in arguments.options else dav


def _with_app_passwords(dav: Wsgi, password: str, folder: Path) -> Wsgi:
    def serving(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        asked = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if asked not in (("GET", MAKE), ("DELETE", DELETE)):
            return dav(environ, start)
        shown = _shown(environ.get("HTTP_AUTHORIZATION", ""))
        wanted = {password} if asked[0] == "GET" else Doors.passwords - {password}
        if environ.get("HTTP_OCS_APIREQUEST") != "true" or shown not in wanted:
            start("401 Unauthorized", [])
            return []
        made_password = secrets.token_urlsafe(32)
        if asked[0] == "GET":
            (folder / "app-password").write_text(made_password, "ascii")
        Doors.passwords ^= {made_password if asked[0] == "GET" else shown}
        data = {"apppassword": made_password} if asked[0] == "GET" else []
        start("200 OK", [("content-type", "application/json")])
        return [json.dumps({"ocs": {"meta": {"statuscode": 200}, "data": data}}).encode()]

    return serving


def _shown(header: str) -> str:
    user, _, password = base64.b64decode(header.removeprefix("Basic ")).decode().partition(":")
    return password if user == USER else ""


def start(folder: Path, password: str, *options: str) -> ThirdParty:
    """Start one in which ``USER`` has this password."""
    party = made(folder)
    (folder / "password").write_text(password, "utf-8")
    party.start(__name__, *options)
    return party


if __name__ == "__main__":
    serve(build)
