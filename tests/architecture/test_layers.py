"""The layers inside a service. Those between services are import-linter's: pyproject.toml, [tool.importlinter]."""

from __future__ import annotations

import pytest
from importlinter.cli import lint_imports

from tests.architecture.repository import ROOT, SERVICES, graph

SKELETON = ("__init__.py", "__main__.py", "app.py", "config.py", "errors.py", "handlers.py")
STORED = ("store.py", "sql.py", "migrations")
SHIPPED = ("requirements.in", "requirements.txt", "Dockerfile", "README.md")
WIRE_AND_SQL = {"grpc", "google", "valv", "sqlalchemy", "alembic"}
# What stands at the edge of every service, and the adapters beside it that each one adds. The rest is domain.
EDGE = {"app", "handlers", "sql", "store", "migrations", "__main__"}
ADAPTERS = {
    "auth": {"ledger", "log_client", "replicas", "tables", "wire"},
    "files": {"content", "keystore", "views"},
    "billing": {"books", "erased", "checks", "resolver"},
    "audit": {"tables", "checkpoints", "journal", "wire"},
}


@pytest.mark.parametrize("service", SERVICES)
def test_who_knows_one_service_knows_them_all(service: str) -> None:
    # The gateway owns no data: all of it is derived.
    parts = [*SKELETON, *SHIPPED, *(STORED if service != "gateway" else ())]
    assert [part for part in parts if not (ROOT / "services" / service / part).exists()] == []


@pytest.mark.parametrize("service", ADAPTERS)
def test_domain_modules_know_neither_wire_nor_sql(service: str) -> None:
    strays = {}
    for module in graph().modules:
        parts = module.split(".")
        if parts[:2] != ["services", service] or len(parts) == 2 or _is_edge(parts[2:], EDGE | ADAPTERS[service]):
            continue
        known = {name.split(".")[0] for name in graph().find_modules_directly_imported_by(module)} & WIRE_AND_SQL
        if known and not parts[2].startswith("migrations"):
            strays[module] = sorted(known)
    assert strays == {}


def _is_edge(parts: list[str], named: set[str]) -> bool:
    """Tells edge from domain: by name, or as sql_<subject> and <subject>_handlers."""
    return bool(named & {parts[0], parts[-1]}) or parts[-1].startswith("sql_") or parts[-1].endswith("_handlers")


@pytest.mark.parametrize("service", ADAPTERS)
def test_every_named_adapter_exists(service: str) -> None:
    assert {name for name in ADAPTERS[service] if f"services.{service}.{name}" not in graph().modules} == set()


def test_services_are_independent_and_stand_on_the_kit() -> None:
    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True, is_debug_mode=False) == 0
