"""Owns the cheap question before a start: is a SQLite database at the newest revision of its migrations?

It reads; it must never migrate. A wrong answer harms nothing: each service checks its schema itself when it starts.
Importing Alembic and an engine to learn that nothing is to be done would be a good part of the time a start takes.
"""

from __future__ import annotations

import ast
import sqlite3
import tomllib
from contextlib import closing
from typing import TYPE_CHECKING

from deploy.cli.layout import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

SERVICES = ("auth", "files", "billing", "audit")
FOLDERS = {"database": "migrations", "keys_database": "migrations_keys", "checkpoint_database": "migrations_checkpoint"}
_SQLITE = "sqlite+aiosqlite:///"


def is_current(service: str, path: Path) -> bool:
    """Say whether every database that a service's configuration names is there and up to date.

    Databases other than SQLite are never said to be: Alembic asks them.
    """
    config = tomllib.loads(path.read_text("utf-8"))
    return all(
        _revisions(config[name]["url"]) == heads(REPOSITORY / "services" / service / folder)
        for name, folder in FOLDERS.items()
        if name in config
    )


def heads(folder: Path) -> set[str]:
    """Return the revisions of a migration folder that no other one follows."""
    revisions, followed = set(), set()
    for file in (folder / "versions").glob("*.py"):
        named = _named(file)
        revisions.add(named["revision"])
        followed.add(named["down_revision"])
    return {revision for revision in revisions if revision is not None} - followed


def _named(file: Path) -> dict[str, str | None]:
    """Read a migration's names from its text; it is not imported."""
    found: dict[str, str | None] = {}
    for node in ast.parse(file.read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if name in ("revision", "down_revision"):
                found[name] = ast.literal_eval(node.value)
    return found


def _revisions(url: str) -> set[str]:
    if not url.startswith(_SQLITE):
        return set()
    try:
        with closing(sqlite3.connect(f"file:{url.removeprefix(_SQLITE)}?mode=ro", uri=True)) as connection:
            return {row[0] for row in connection.execute("SELECT version_num FROM alembic_version")}
    except sqlite3.Error:
        return set()
