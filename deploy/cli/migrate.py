"""Owns `valv migrate`: brings the databases that a service's configuration names to the newest schema."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

from deploy.cli.layout import REPOSITORY
from deploy.cli.schema import FOLDERS, SERVICES
from services.kit.config import ConfigError, load
from services.kit.migrate import migrate


def main(arguments: list[str]) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="valv migrate", description="Bring a service's databases up to date.")
    parser.add_argument("service", choices=SERVICES)
    parser.add_argument("--config", type=Path, required=True)
    flags = parser.parse_args(arguments)
    try:
        migrate_service(flags.service, flags.config)
    except ConfigError as error:
        sys.stderr.write(f"{flags.config}: {error}\n")
        return 2
    return 0


def migrate_service(service: str, path: Path) -> None:
    """Migrate every database of one service, as its own configuration names them.

    Raises:
        ConfigError: The configuration is not valid.
    """
    config = load(importlib.import_module(f"services.{service}.config").Config, path)
    for name, folder in FOLDERS.items():
        database = getattr(config, name, None)
        if database is not None:
            migrate(REPOSITORY / "services" / service / folder, database)
