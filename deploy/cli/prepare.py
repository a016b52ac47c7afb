"""Owns what a development installation needs before it starts: certificates, secrets, configurations, databases.

Everything is made once and kept. Secrets are made here and read by the one process they are for.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from string import Template

from deploy.cli.certs import issue
from deploy.cli.layout import FRONTS, REPOSITORY, ROLES, Layout
from deploy.cli.schema import SERVICES, is_current
from services.audit.signing import create_signing_key
from services.auth import assertions, pepper
from services.kit.clock import SystemClock
from services.kit.envelope import create_root_key

TEMPLATES = REPOSITORY / "deploy" / "config" / "development"
GATEWAY = REPOSITORY / "services" / "gateway"


def prepare(layout: Layout) -> None:
    """Make what is missing or behind. Blocks for some seconds the first time.

    Raises:
        subprocess.CalledProcessError: A migration failed; it has said why.
    """
    issue(layout.certificates, ROLES, SystemClock().now(), fronts=FRONTS)
    _secrets(layout.keys)
    render(layout)
    for name in (*SERVICES, "files/blobs", "audit/tiles", "psp", "shop", "mail"):
        (layout.data / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    _migrate(layout)


def _migrate(layout: Layout) -> None:
    """Migrate what is behind; a process each, since they import what only migrations need."""
    behind = [name for name in SERVICES if not is_current(name, layout.configs / f"{name}.toml")]
    migrations = [
        subprocess.Popen(
            [sys.executable, "-m", "deploy.cli", "migrate", name, "--config", str(layout.configs / f"{name}.toml")],
            cwd=REPOSITORY,
            umask=0o077,
        )
        for name in behind
    ]
    for migration in migrations:
        if migration.wait():
            raise subprocess.CalledProcessError(migration.returncode, migration.args)


def render(layout: Layout) -> None:
    """Write the configurations from their templates, and Envoy's bootstrap."""
    values = {name: str(port) for name, port in asdict(layout.ports).items()}
    values |= {
        "state": str(layout.state),
        "certs": str(layout.certificates),
        "keys": str(layout.keys),
        "data": str(layout.data),
        "logs": str(layout.logs),
        "web": str(layout.web),
        "credential_calls": str(layout.credential_calls),
        "erasure_grace": str(layout.erasure_grace),
        "log_level": layout.log_level,
    }
    common = Template((TEMPLATES / "_service.part").read_text("utf-8"))
    for path in sorted(TEMPLATES.glob("*.toml")):
        role = path.stem
        service = common.substitute(values, role=role, port=values.get(role, ""))
        text = Template(path.read_text("utf-8")).substitute(values, role=role, service=service)
        _write(layout.configs / path.name, text)
    made_of = (layout.configs / "gateway.toml", *GATEWAY.glob("*.py"), *(GATEWAY / "xds").glob("*.py"))
    if _newer(layout.configs / "envoy.json", made_of):
        return
    bootstrap = [sys.executable, "-m", "services.gateway.bootstrap", "--config", str(layout.configs / "gateway.toml")]
    made = subprocess.run(bootstrap, check=True, capture_output=True, text=True, cwd=REPOSITORY)
    _write(layout.configs / "envoy.json", made.stdout)
    (layout.configs / "envoy.json").touch()


def _secrets(folder: Path) -> None:
    for name, create in (
        ("auth-pepper.toml", pepper.create),
        ("auth-signing.jwk", assertions.create),
        ("auth-root.key", create_root_key),
        ("audit-signing.pem", create_signing_key),
        ("audit-root.key", create_root_key),
        ("files-root.key", create_root_key),
        ("psp-secret", lambda path: _write(path, "sk_test_" + secrets.token_hex(24))),
    ):
        if not (folder / name).exists():
            create(folder / name)


def _newer(made: Path, sources: Iterable[Path]) -> bool:
    return made.exists() and all(source.stat().st_mtime_ns < made.stat().st_mtime_ns for source in sources)


def _write(path: Path, text: str) -> None:
    """Write a file for its owner only, whole or not at all; leave one that holds the same alone."""
    if path.exists() and path.read_text("utf-8") == text:
        return
    part = path.with_name(f".{path.name}.part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)
