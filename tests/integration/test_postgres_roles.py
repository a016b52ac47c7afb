"""Each production database has a role of its own, and no role opens another's."""

from __future__ import annotations

import re
from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import make_url

from deploy.cli.layout import REPOSITORY

SCRIPT = (REPOSITORY / "deploy" / "postgres" / "databases.sql").read_text("utf-8")
STATEMENTS = [line for line in SCRIPT.splitlines() if line and not line.startswith("--")]
NAMES = re.findall(r"CREATE DATABASE (\w+)", SCRIPT)
PASSWORD = "only for this test"


@pytest.fixture
def databases(postgres_server: str) -> Iterator[str]:
    """Run the shipped script; take everything away again."""
    with psycopg.connect(postgres_server.replace("+psycopg", ""), autocommit=True) as admin:
        try:
            for statement in STATEMENTS:
                admin.execute(statement.encode())
            for name in NAMES:
                admin.execute(f"ALTER ROLE {name} PASSWORD '{PASSWORD}'".encode())
            yield postgres_server
        finally:
            for name in NAMES:
                admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())
            for name in NAMES:
                admin.execute(f"DROP ROLE IF EXISTS {name}".encode())


def _open(server: str, role: str, database: str) -> None:
    url = make_url(server)
    place = {"host": url.host, "port": url.port, **url.query}
    with psycopg.connect(user=role, password=PASSWORD, dbname=database, **place) as connection:  # type: ignore[arg-type]  # the test hands over what types forbid, or a stand-in
        connection.execute(b"CREATE TABLE mine (one INTEGER)")


@pytest.mark.clause("P3", "P6", "ASVS 6.7.1", "ASVS 8.3.1")
def test_a_role_opens_its_own_database_and_no_other(databases: str) -> None:
    for role in NAMES:
        for database in NAMES:
            if role == database:
                _open(databases, role, database)
            else:
                with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
                    _open(databases, role, database)


def test_every_database_of_the_production_configurations_is_made() -> None:
    wanted = set()
    for path in (REPOSITORY / "deploy" / "config" / "production").glob("*.toml"):
        wanted |= set(re.findall(r"postgresql\+psycopg://(\w+)@[^/]+/(\w+)", path.read_text("utf-8")))
    assert wanted == {(name, name) for name in NAMES}
