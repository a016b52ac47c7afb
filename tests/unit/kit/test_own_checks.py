"""What every service checks of itself: each check is kept in ordinary life and broken by really breaking the thing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from sqlalchemy import MetaData

from services.kit import own_checks
from services.kit.checks import ChecksConfig
from services.kit.clock import SystemClock
from services.kit.db import Database, DatabaseConfig
from services.kit.ids import Ids
from services.kit.logline import RecentLines
from services.kit.outbox import Outbox
from services.kit.own_checks import Process, of_process, policed
from services.kit.practices import PRACTICES
from services.kit.server import HEALTH, Server
from services.kit.storage import of_store
from services.kit.store_leaks import StoreSearch
from services.kit.tls import TLSMaterial
from tests.support.clock import FakeClock
from tests.support.pki import Pki


@pytest.fixture
def process(tmp_path: Path) -> Process:
    clock = SystemClock()
    return Process(
        role="files",
        clock=clock,
        tls=TLSMaterial(Pki(tmp_path).config("files"), clock),
        config=ChecksConfig(),
        recent=RecentLines(),
        declared=("127.0.0.1:1",),
        served=lambda: policed("files") | HEALTH,
        foreign=HEALTH,
    )


async def measured(process: Process) -> dict[str, int]:
    return {check.name.partition(".")[2]: await check.measure() for check in of_process(process)}


@pytest.mark.clause("P3")
async def test_a_method_without_a_policy_or_a_policy_without_a_method_is_found(process: Process) -> None:
    assert (await measured(process))["policies"] == 0
    hidden = replace(process, served=lambda: policed("files") | HEALTH | {"/valv.files.v1.Back/Door"})
    assert (await measured(hidden))["policies"] == 1
    missing = replace(process, served=lambda: (policed("files") | HEALTH) - {min(policed("files"))})
    assert (await measured(missing))["policies"] == 1


@pytest.mark.clause("P3")
async def test_a_server_knows_what_it_serves_whoever_registered_it(process: Process) -> None:
    class BackDoor:
        methods = frozenset[str]()

        def __call__(self, server: Any) -> None:
            handler: grpc.RpcMethodHandler[Any, Any] = grpc.unary_unary_rpc_method_handler(lambda *_: b"")
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("back", {"Door": handler}),))
            server.add_registered_method_handlers("side", {"Door": handler})

    server = Server(None, process.tls, Ids(process.clock), max_calls=1)  # type: ignore[arg-type]  # no call is made
    server.add({}, (BackDoor(),))
    assert server.served == HEALTH | {"/back/Door", "/side/Door"}


@pytest.mark.clause("P12")
async def test_the_days_of_the_certificate_are_counted(process: Process) -> None:
    clock = FakeClock(process.tls.expires - timedelta(days=8))
    assert (await measured(replace(process, clock=clock)))["certificate_days"] == 8
    clock.advance(86401)
    days = (await measured(replace(process, clock=clock)))["certificate_days"]
    assert days == 6
    check = next(check for check in of_process(process) if check.name == "files.certificate_days")
    assert check.threshold == 7
    assert not PRACTICES[check.name].holds(days, check.threshold)


@pytest.mark.clause("PCI DSS 10.6.1")
async def test_a_clock_that_differs_from_the_database_is_measured(tmp_path: Path) -> None:
    database = Database(DatabaseConfig(f"sqlite+aiosqlite:///{tmp_path}/x.db"))
    search = StoreSearch(database, MetaData())
    for ahead, least, most in ((0, 0, 50), (5, 4900, 5100), (-5, 4900, 5100)):
        clock = FakeClock(SystemClock().now() + timedelta(seconds=ahead))
        outbox = Outbox(database, clock, Ids(clock))
        check = next(each for each in of_store("files", outbox, search, clock) if each.name == "files.clock")
        assert least <= await check.measure() <= most
    await database.close()


def test_every_check_of_any_process_is_in_the_table_for_every_role(process: Process) -> None:
    for role in ("auth", "files", "billing", "audit", "gateway"):
        assert {check.name for check in of_process(replace(process, role=role))} <= set(PRACTICES)


def test_only_contracts_of_the_service_itself_are_its_own() -> None:
    assert all(name.startswith("/valv.files.v1.") for name in policed("files"))
    assert own_checks.policed("gateway") == frozenset()
