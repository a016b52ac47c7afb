"""The promises and what the log knows of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.audit.practices import PROMISES, State, judge, owns, stale
from services.audit.store import Evidence
from services.kit.checks import Finding
from services.kit.event import Actor, ActorKind, Event, Target
from services.kit.practices import PRACTICES
from tests.unit.audit.world import World

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def evidence(state: str, check: str = "audit.gaps", age: timedelta = timedelta()) -> dict[str, Evidence]:
    return {check: Evidence(Finding(check, state, 3, 0), NOW - age, "evt_x", 7)}


def state_of(promise: str, held: dict[str, Evidence]) -> State:
    return next(each.state for each in judge(held, NOW) if each.promise == promise)


def kept(promise: str) -> dict[str, Evidence]:
    return {name: found for check in PROMISES[promise] for name, found in evidence("kept", check.name).items()}


def finding(world: World, check: str, state: str, count: int = 0) -> Event:
    role = check.partition(".")[0]
    details = {"state": state, "count": count, "threshold": 7}
    return world.event(
        "",
        "practice.check",
        actor=Actor(ActorKind.SERVICE, role),
        target=Target("practice", check),
        details=details,
    )


def test_there_are_fifteen_promises_in_order() -> None:
    assert [each.promise for each in judge({}, NOW)] == [f"P{number}" for number in range(1, 16)]


def test_a_promise_without_a_check_says_so_and_one_never_run_is_unknown() -> None:
    for promise, checks in PROMISES.items():
        wanted = [check for check in checks if not check.optional]
        assert state_of(promise, {}) is (State.UNKNOWN if wanted else State.NO_CHECK)


def test_a_check_that_an_installation_cannot_run_is_no_check_until_it_ran() -> None:
    name = "billing.attestation_age"
    for held, expected in (({}, State.NO_CHECK), (evidence("broken", name), State.BROKEN)):
        results = next(each.results for each in judge(held, NOW) if each.promise == "P12")
        assert next(result.state for result in results if result.check.name == name) is expected


@pytest.mark.parametrize(
    "gaps,age,expected",
    [
        ("kept", "kept", State.KEPT),
        ("kept", "broken", State.BROKEN),
        ("unknown", "broken", State.BROKEN),
        ("kept", "unknown", State.UNKNOWN),
    ],
)
def test_a_promise_is_as_good_as_its_worst_check(gaps: str, age: str, expected: State) -> None:
    held = kept("P5") | evidence(gaps) | evidence(age, "audit.checkpoint_age")
    assert state_of("P5", held) is expected


def test_an_old_result_is_no_result() -> None:
    limit = stale(PRACTICES["audit.gaps"])
    assert limit == timedelta(minutes=25)
    for age, expected in ((limit, State.KEPT), (limit + timedelta(seconds=1), State.UNKNOWN)):
        assert state_of("P5", kept("P5") | evidence("kept", age=age)) is expected


def test_a_check_belongs_to_the_service_it_is_named_after() -> None:
    assert owns("auth", "auth.password_parameters")
    assert not owns("files", "auth.password_parameters")
    assert not owns("auth", "auth.made_up")


@pytest.mark.clause("P5")
async def test_the_latest_result_counts_and_only_its_owners(world: World) -> None:
    check = "auth.password_parameters"
    await world.append(finding(world, check, "broken", 9), producer="auth")
    kept = finding(world, check, "kept", 2)
    await world.append(kept, producer="auth")
    await world.append(finding(world, check, "broken", 1), producer="files")
    held = (await world.records.evidence())[check]
    assert (held.event_id, held.index) == (kept.id, 1)
    assert (held.finding, held.time) == (Finding(check, "kept", 2, 7), world.clock.now())


async def test_a_result_from_the_future_is_of_now(world: World) -> None:
    late = finding(world, "auth.password_parameters", "kept")
    world.clock.advance(-3600)
    await world.append(late, producer="auth")
    assert (await world.records.evidence())["auth.password_parameters"].time == world.clock.now()
