"""What each service may install. One more in auth or billing is a visible diff here, with a reason in its .in file."""

from __future__ import annotations

import base64
import sys
from hashlib import sha256
from importlib.metadata import files, packages_distributions

import pytest

from tests.architecture.repository import ROOT, SERVICES, closure, graph, packages

TELEMETRY = {
    "googleapis-common-protos",
    "opentelemetry-api",
    "opentelemetry-exporter-otlp-common",
    "opentelemetry-exporter-otlp-proto-common",
    "opentelemetry-exporter-otlp-proto-grpc",
    "opentelemetry-proto",
    "opentelemetry-sdk",
    "opentelemetry-semantic-conventions",
}
RPC = {"grpcio", "grpcio-health-checking", "protobuf", "typing-extensions"}
CRYPTOGRAPHY = {"cffi", "cryptography", "joserfc", "pycparser"}
STORES = {"aiosqlite", "alembic", "greenlet", "mako", "markupsafe", "psycopg", "psycopg-binary", "sqlalchemy"}
SERVING = TELEMETRY | RPC | CRYPTOGRAPHY | {"python-stdnum"}
KIT = SERVING | STORES
AWS = {"boto3", "botocore", "jmespath", "python-dateutil", "s3transfer", "six", "urllib3"}
HTTP_SERVER = {
    "aiohappyeyeballs",
    "aiohttp",
    "aiosignal",
    "attrs",
    "frozenlist",
    "idna",
    "multidict",
    "propcache",
    "yarl",
}
ALLOWED = {
    "kit": KIT,
    "auth": KIT
    | {"aiosmtplib", "argon2-cffi", "argon2-cffi-bindings", "dnspython", "email-validator", "idna", "redis"}
    | {"pyotp", "zxcvbn", "webauthn", "cbor2", "pyopenssl", "pyasn1", "pyasn1-modules"}
    | {"authlib", "anyio", "certifi", "h11", "httpcore", "httpx"},
    "files": KIT | AWS | HTTP_SERVER,
    "billing": KIT | {"anyio", "certifi", "h11", "httpcore", "httpx", "idna", "stripe"},
    "audit": KIT | AWS | {"rfc8785"} | {"anyio", "certifi", "h11", "httpcore", "httpx", "idna"},
    "gateway": SERVING | {"xds-protos"},
}


def lock_of(room: str) -> frozenset[str]:
    return packages(f"services/{room}/requirements.txt")


def distributions(room: str) -> set[str]:
    """Returns what a service's modules import, by the name it is installed under."""
    modules = [name for name in graph().modules if name.startswith(f"services.{room}.")]
    loaded = closure(*modules)
    imported = {name for module in loaded for name in graph().find_modules_directly_imported_by(module)}
    outside = {name.split(".")[0] for name in imported} - {"services", "valv"} - sys.stdlib_module_names
    shared = {"google": {"protobuf", "googleapis-common-protos"}, "opentelemetry": {"opentelemetry-sdk"}}
    installed = packages_distributions()
    return set().union(*(shared.get(name) or {installed[name][0].lower()} for name in outside))


@pytest.mark.clause("P6", "P11")
@pytest.mark.parametrize("room", ALLOWED)
def test_a_room_installs_exactly_what_is_written_here(room: str) -> None:
    assert lock_of(room) == ALLOWED[room]


@pytest.mark.clause("P6", "P11")
@pytest.mark.parametrize("small", ["auth", "billing"])
def test_who_sees_passwords_and_card_tokens_has_no_web_server_no_cloud_and_no_page_to_render(small: str) -> None:
    assert lock_of(small) & ((HTTP_SERVER - {"idna"}) | AWS | {"jinja2", "segno", "pillow", "requests"}) == set()


@pytest.mark.parametrize("room", SERVICES)
def test_a_service_imports_nothing_that_it_does_not_install(room: str) -> None:
    assert distributions(room) - lock_of(room) == set()


@pytest.mark.parametrize("room", [*SERVICES, "kit"])
def test_a_room_asks_for_nothing_that_it_does_not_import(room: str) -> None:
    lines = (ROOT / "services" / room / "requirements.in").read_text().splitlines()
    asked = {line.split("[")[0] for line in lines if line and not line.startswith(("#", "-r"))}
    # Drivers are named in database URLs; the exporter's own name is hidden behind its namespace.
    by_name = {"aiosqlite", "psycopg", "opentelemetry-exporter-otlp-proto-grpc"}
    assert asked - distributions(room) - by_name == set()


@pytest.mark.parametrize("room", SERVICES)
def test_versions_agree_with_the_lock_that_everything_is_tested_with(room: str) -> None:
    def pins(path: str) -> set[str]:
        return {line.split(" ")[0] for line in (ROOT / path).read_text().splitlines() if "==" in line.split(" ")[0]}

    assert pins(f"services/{room}/requirements.txt") <= pins("tests/requirements.txt")


@pytest.mark.parametrize("package", ["googleapis-common-protos", "opentelemetry-proto"])
def test_packages_that_share_files_with_xds_protos_are_whole(package: str) -> None:
    def digest(content: bytes) -> str:
        return base64.urlsafe_b64encode(sha256(content).digest()).rstrip(b"=").decode()

    recorded = [file for file in files(package) or () if file.hash and file.suffix == ".py"]
    assert recorded
    assert [str(file) for file in recorded if file.hash and digest(file.read_binary()) != file.hash.value] == []
