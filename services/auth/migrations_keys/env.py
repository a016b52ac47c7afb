"""Owns the way Alembic runs the migrations of the keys database."""

from __future__ import annotations

from services.kit.migrate import run_env

run_env()
