"""How a service follows orders to erase: each at least once, none lost, none held up by another."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData

from services.kit.db import Database, DatabaseConfig
from services.kit.erasure import Blocked, Cause, EraseAway, Erased, Follower, erasure_table
from services.kit.telemetry import Log
from valv.auth.v1 import erasure_pb2, session_pb2

DATA, LAST = session_pb2.ERASURE_PHASE_DATA, session_pb2.ERASURE_PHASE_LOG
UNTIL = datetime(2034, 1, 1, tzinfo=UTC)


@dataclass
class Auth:
    """Takes acknowledgements, unless it is away."""

    taken: list[erasure_pb2.AcknowledgeRequest] = field(default_factory=list)
    away: bool = False

    def unary_unary(self, _method: str, *_arguments: Any, **_options: Any) -> Any:
        async def acknowledge(request: erasure_pb2.AcknowledgeRequest, **_options: Any) -> None:
            if self.away:
                raise OSError
            self.taken.append(request)

        return acknowledge


class Service:
    """A service that erases, unless it cannot."""

    def __init__(self, database: Database) -> None:
        self.database, self.auth = database, Auth()
        self.erased: list[str] = []
        self.stuck: set[str] = set()

    async def erase(self, account: str) -> Erased:
        if account in self.stuck:
            raise EraseAway
        self.erased.append(account)
        return Erased(f"evt of {account}", [Blocked("charge", 2, Cause.STATUTORY, UNTIL)])

    async def started(self) -> Follower:
        follower = Follower(self.database, self.auth, self.erase, DATA, Log("test"))  # type: ignore[arg-type]  # the test hands over what types forbid, or a stand-in
        await follower.load()
        return follower


def order(number: int, phase: session_pb2.ErasurePhase.ValueType = DATA) -> session_pb2.ErasureOrder:
    return session_pb2.ErasureOrder(sequence=number, account_id=f"usr_{number}", phase=phase)


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    database = Database(DatabaseConfig(f"sqlite+aiosqlite:///{tmp_path}/one.db"))
    erasure_table(metadata := MetaData())
    async with database.write() as connection:
        await connection.run_sync(metadata.create_all)
    yield Service(database)
    await database.close()


async def test_what_was_done_is_acknowledged_with_what_was_kept_and_not_asked_for_again(service: Service) -> None:
    follower = await service.started()
    for number in (1, 2):
        follower.take(order(number))
    await follower.step()
    assert service.erased == ["usr_1", "usr_2"]
    (first, _) = service.auth.taken
    assert (first.account_id, first.event_id) == ("usr_1", "evt of usr_1")
    (item,) = first.blocked
    assert (item.kind, item.count, item.cause) == ("charge", 2, erasure_pb2.BlockedItem.CAUSE_STATUTORY)
    assert item.until.ToDatetime(UTC) == UNTIL
    assert (await service.started()).position == 2


async def test_the_turn_of_another_is_passed_over(service: Service) -> None:
    follower = await service.started()
    follower.take(order(1, LAST))
    await follower.step()
    assert service.erased == []
    assert (await service.started()).position == 1


async def test_one_that_is_stuck_holds_up_no_other_and_is_asked_for_again(service: Service) -> None:
    service.stuck = {"usr_2"}
    follower = await service.started()
    for number in (1, 2, 3):
        follower.take(order(number))
    await follower.step()
    assert service.erased == ["usr_1", "usr_3"]
    again = await service.started()
    assert again.position == 1, "killed here, auth sends 2 and 3 again"
    service.stuck = set()
    await follower.step()
    assert service.erased == ["usr_1", "usr_3", "usr_2"]
    assert (await service.started()).position == 3


async def test_what_auth_did_not_hear_of_is_done_again(service: Service) -> None:
    service.auth.away = True
    follower = await service.started()
    follower.take(order(1))
    await follower.step()
    assert (await service.started()).position == 0
    service.auth.away = False
    await follower.step()
    assert service.erased == ["usr_1", "usr_1"]
    assert len(service.auth.taken) == 1
