"""The requests that entries were made in: which are known, for how long, and to whom they lead."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from services.audit.evidence import sql_requests
from services.audit.evidence.requests import Requests
from services.audit.evidence.sql_requests import SqlRequests
from services.audit.search.tags import Tagging
from services.audit.tables import REQUESTS
from services.kit.faults import Fault
from tests.unit.audit.world import World

DAY = 86400
ONE, TWO, THREE, LOST, OTHER = (f"{number:032x}" for number in range(5))


class Whole:
    """A log that misses nothing, unless it is told to."""

    recovering = False


def _requests(world: World, gate: Whole | None = None) -> Requests:
    return Requests(SqlRequests(world.database, world.clock), Tagging(world.keyring), gate or Whole())


async def _kept(world: World) -> int:
    async with world.database.read() as connection:
        return int((await connection.execute(select(func.count()).select_from(REQUESTS))).scalar_one())


async def _always() -> bool:
    return True


@pytest.mark.clause("P5", "PCI DSS 10.3.4")
async def test_a_request_without_an_entry_is_told_and_no_other(world: World) -> None:
    await world.append(world.event(request=ONE), world.event(request=ONE), world.event(), world.event(request=TWO))
    await world.append(world.event(request=ONE), world.event(request=THREE))
    assert await _requests(world).unrecorded([ONE, LOST, TWO, THREE, ""]) == [LOST, ""]
    assert await _requests(world).unrecorded([]) == []
    assert await _kept(world) == 3


async def test_what_the_log_refused_is_not_known(world: World) -> None:
    with pytest.raises(Fault, match="AUDIT_GAP"):
        await world.appender.append(world.place(first=2), [world.event(request=ONE)])
    assert await _requests(world).unrecorded([ONE]) == [ONE]


async def test_a_request_of_somebody_who_is_erased_is_not_missed(world: World) -> None:
    anna = world.ids.new("usr")
    await world.append(world.event(anna, request=ONE))
    await world.eraser().erase(anna)
    await world.append(world.event(anna, request=TWO))
    assert await _requests(world).unrecorded([ONE, TWO]) == []


async def test_requests_are_known_for_two_days_and_then_deleted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_requests, "_DELETED_AT_ONCE", 2)
    await world.append(*(world.event(request=old) for old in (ONE, TWO, THREE, LOST)))
    world.clock.advance(2 * DAY)
    await world.append(world.event(request=OTHER))
    await world.sweeper().sweep(_always)
    assert await _requests(world).unrecorded([ONE, OTHER]) == []
    world.clock.advance(DAY)
    assert await _requests(world).unrecorded([ONE, OTHER]) == [ONE]
    await world.sweeper().sweep(_always)
    assert await _kept(world) == 1


async def test_a_log_that_regains_what_it_lost_says_nothing(world: World) -> None:
    gate = Whole()
    gate.recovering = True
    with pytest.raises(Fault, match="LOG_RECOVERING"):
        await _requests(world, gate).unrecorded([ONE])
