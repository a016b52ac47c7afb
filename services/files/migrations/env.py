"""How these migrations run: see the kit."""

from services.kit.migrate import run_env

run_env()
