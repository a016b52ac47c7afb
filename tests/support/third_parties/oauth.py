"""An OAuth 2 and OpenID Connect server (django-oauth-toolkit): code flow with PKCE, password grant, revocation."""

from __future__ import annotations

import argparse
import json
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.third_parties.serving import ThirdParty, Wsgi, made, serve

USER = "anna"
CODE_CLIENT, PASSWORD_CLIENT = "valv-code", "valv-password"
CLIENT_SECRET = "the secret that Valv and this server share"
ENDPOINTS = {
    "authorization_endpoint": "/o/authorize/",
    "token_endpoint": "/o/token/",
    "revocation_endpoint": "/o/revoke_token/",
    "jwks_uri": "/o/.well-known/jwks.json",
}


def build(arguments: argparse.Namespace) -> Wsgi:
    """Put the project together; its settings are told here, before anything of Django's is loaded."""
    wanted = json.loads((arguments.folder / "wanted.json").read_text("utf-8"))
    _configure(arguments.folder, arguments.port, wanted["seconds"])
    import django  # noqa: PLC0415 - imported only where it is wanted

    django.setup()
    _fill(wanted)
    from django.core.wsgi import get_wsgi_application  # noqa: PLC0415 - imported only where it is wanted

    return get_wsgi_application()  # type: ignore[no-any-return]  # the stub is untyped


def _configure(folder: Path, port: int, seconds: int) -> None:
    from django.conf import settings  # noqa: PLC0415 - imported only where it is wanted

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    settings.configure(
        SECRET_KEY="only here",
        DEBUG=False,
        ALLOWED_HOSTS=["localhost"],
        ROOT_URLCONF="tests.support.third_parties.oauth_urls",
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "oauth2_provider",
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
        ],
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(folder / "server.db")}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
        LOGIN_URL="/login",
        OAUTH2_PROVIDER={
            "OIDC_ENABLED": True,
            "OIDC_RSA_PRIVATE_KEY": pem,
            "OIDC_ISS_ENDPOINT": f"https://localhost:{port}/o",
            "SCOPES": {"openid": "who you are", "read": "what you have"},
            "PKCE_REQUIRED": True,
            "ROTATE_REFRESH_TOKEN": True,
            "ACCESS_TOKEN_EXPIRE_SECONDS": seconds,
        },
    )


def _fill(wanted: dict[str, Any]) -> None:
    from django.contrib.auth import get_user_model  # noqa: PLC0415 - imported only where it is wanted
    from django.core.management import call_command  # noqa: PLC0415 - imported only where it is wanted
    from oauth2_provider.models import get_application_model  # noqa: PLC0415 - imported only where it is wanted

    call_command("migrate", verbosity=0)
    if get_user_model().objects.exists():
        return
    get_user_model().objects.create_user(USER, password=wanted["password"])
    application = get_application_model()
    for client, grant in ((CODE_CLIENT, "authorization-code"), (PASSWORD_CLIENT, "password")):
        application.objects.create(
            client_id=client,
            client_secret=wanted["secret"],
            client_type="confidential",
            authorization_grant_type=grant,
            redirect_uris=wanted["redirect_uri"],
            skip_authorization=True,
            algorithm="RS256" if grant == "authorization-code" else "",
        )


def start(
    folder: Path, password: str, redirect_uri: str, seconds: int = 3600, secret: str = CLIENT_SECRET
) -> ThirdParty:
    """Start one in which ``USER`` has this password, and whose tokens live that long."""
    party = made(folder)
    wanted = {"password": password, "redirect_uri": redirect_uri, "seconds": seconds, "secret": secret}
    (folder / "wanted.json").write_text(json.dumps(wanted), "utf-8")
    (folder / "client-secret").write_text(secret, "utf-8")
    party.start(__name__)
    return party


def come_back(party: ThirdParty, address: str, password: str) -> dict[str, str]:
    """Do what a person's browser does: sign in there, follow the address, and return what it is sent back with."""
    with party.client() as browser:
        signed_in = browser.post("/login", data={"username": USER, "password": password})
        assert signed_in.status_code == 204, signed_in.text
        answer = browser.get(address)
    assert answer.status_code == 302, unescape(answer.text)
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}


def works(party: ThirdParty, token: str) -> bool:
    """Tell whether a token opens the door there."""
    with party.client() as client:
        answer = client.get("/whoami", headers={"authorization": f"Bearer {token}"})
    assert answer.status_code in (httpx.codes.OK, httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN), answer.text
    return answer.status_code == httpx.codes.OK and answer.text == USER


if __name__ == "__main__":
    serve(build)
