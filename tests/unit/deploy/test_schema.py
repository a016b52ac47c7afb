"""A start asks cheaply whether databases are up to date, and never says so wrongly."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from deploy.cli import schema
from deploy.cli.layout import REPOSITORY

ROOMS = [
    (service, folder)
    for service in schema.SERVICES
    for folder in schema.FOLDERS.values()
    if (REPOSITORY / "services" / service / folder).exists()
]


def _database(path: Path, *revisions: str) -> str:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.executemany("INSERT INTO alembic_version VALUES (?)", [(one,) for one in revisions])
    return f"sqlite+aiosqlite:///{path}"


def _config(folder: Path, url: str) -> Path:
    (folder / "billing.toml").write_text(f'[database]\nurl = "{url}"\n')
    return folder / "billing.toml"


@pytest.mark.parametrize("service, folder", ROOMS)
def test_the_newest_revision_is_the_one_alembic_says(service: str, folder: str) -> None:
    path = REPOSITORY / "services" / service / folder
    assert schema.heads(path) == set(ScriptDirectory(str(path)).get_heads())


def test_a_revision_that_another_follows_is_not_the_newest(tmp_path: Path) -> None:
    (tmp_path / "versions").mkdir()
    (tmp_path / "versions" / "a.py").write_text('revision = "1"\ndown_revision = None\n')
    (tmp_path / "versions" / "b.py").write_text('revision = "2"\ndown_revision = "1"\n')
    assert schema.heads(tmp_path) == {"2"}


def test_a_database_at_the_newest_revision_is_current(tmp_path: Path) -> None:
    newest = schema.heads(REPOSITORY / "services" / "billing" / "migrations")
    assert schema.is_current("billing", _config(tmp_path, _database(tmp_path / "a.db", *newest)))


@pytest.mark.parametrize("revisions", [(), ("older",)])
def test_a_database_at_another_revision_is_not(tmp_path: Path, revisions: tuple[str, ...]) -> None:
    assert not schema.is_current("billing", _config(tmp_path, _database(tmp_path / "a.db", *revisions)))


def test_a_database_that_is_missing_empty_or_broken_is_not(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    (tmp_path / "broken.db").write_bytes(b"x" * 4096)
    for name in ("missing.db", "empty.db", "broken.db"):
        assert not schema.is_current("billing", _config(tmp_path, f"sqlite+aiosqlite:///{tmp_path / name}"))
    assert not (tmp_path / "missing.db").exists()


def test_a_database_elsewhere_is_left_to_alembic(tmp_path: Path) -> None:
    assert not schema.is_current("billing", _config(tmp_path, "postgresql+psycopg://billing@db/billing"))
