"""Owns the way Alembic runs the migrations of auth's database."""

from __future__ import annotations

from services.kit.migrate import run_env

run_env()
