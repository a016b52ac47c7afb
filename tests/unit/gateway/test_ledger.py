"""What the gateway records: one event at a time, gapless, never forgotten half-way."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from services.audit import wire
from services.gateway.ledger import MOST_WAITING, PUSHED, REFUSED, ROLLED_BACK, Ledger
from services.kit.checks import CHECK_ACTION, Finding
from services.kit.ids import Ids
from services.kit.shipping import Away
from tests.support.clock import FakeClock
from valv.audit.v1 import event_pb2


class Log:
    """A log of one producer that can be away, or lose its answer."""

    def __init__(self) -> None:
        self.held: list[event_pb2.Event] = []
        self.calls: list[tuple[str, str, int]] = []
        self.away = self.deaf = False
        self.shipped: tuple[str, int] = ("", 0)

    async def head(self, epoch: str = "", shipped: int = 0) -> tuple[str, int]:
        if self.away:
            raise Away
        self.shipped = (epoch, shipped)
        return (self.calls[-1][0], len(self.held)) if self.held else ("epo_before", 9)

    async def append(self, epoch: str, predecessor: str, first_number: int, events: Sequence[bytes]) -> int:
        if self.away:
            raise Away
        self.calls.append((epoch, predecessor, first_number))
        assert first_number <= len(self.held) + 1
        self.held[first_number - 1 :] = [event_pb2.Event.FromString(event) for event in events]
        if self.deaf:
            raise Away
        return len(self.held)


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def ledger(log: Log) -> Ledger:
    clock = FakeClock()
    return Ledger(log, clock, Ids(clock))


async def test_a_push_is_recorded_with_its_digest_by_the_service(log: Log, ledger: Ledger) -> None:
    await ledger.record(PUSHED, "ab" * 32)
    (event,) = log.held
    assert (event.action, event.outcome, event.details.digest) == (PUSHED, event_pb2.OUTCOME_SUCCESS, "ab" * 32)
    assert (event.actor.kind, event.actor.id) == (event_pb2.Actor.KIND_SERVICE, "gateway")
    assert event.event_id.startswith("evt_")
    assert not event.subject


async def test_an_epoch_names_the_one_before_and_counts_from_one(log: Log, ledger: Ledger) -> None:
    await ledger.record(PUSHED, "a")
    await ledger.record(ROLLED_BACK, "a")
    assert [(predecessor, number) for _, predecessor, number in log.calls] == [("epo_before", 1), ("epo_before", 2)]
    assert len({epoch for epoch, _, _ in log.calls}) == 1
    assert log.held[1].outcome == event_pb2.OUTCOME_FAILED


async def test_audit_takes_what_is_recorded(log: Log, ledger: Ledger) -> None:
    await ledger.record(PUSHED, "ab" * 32)
    await ledger.record(ROLLED_BACK, "ab" * 32)
    taken = [wire.event_of(event.SerializeToString()) for event in log.held]
    assert [(event.action, event.reason) for event in taken] == [(PUSHED, ""), (ROLLED_BACK, REFUSED)]


async def test_nothing_is_recorded_while_the_log_is_away_and_the_same_record_follows(log: Log, ledger: Ledger) -> None:
    log.away = True
    for _ in range(2):
        with pytest.raises(Away):
            await ledger.record(PUSHED, "a")
    log.away = False
    await ledger.record(PUSHED, "a")
    assert [event.details.digest for event in log.held] == ["a"]


async def test_what_comes_between_two_tries_doubles_nothing(log: Log, ledger: Ledger) -> None:
    finding = Finding("gateway.doors", "kept", 0, 0)
    log.away = True
    for _ in range(2):
        with pytest.raises(Away):
            await ledger.record(PUSHED, "a")
        with pytest.raises(Away):
            await ledger.found(finding)
    log.away = False
    await ledger.record(PUSHED, "a")
    assert [event.action for event in log.held] == [PUSHED, CHECK_ACTION]


async def test_what_another_record_took_along_is_not_recorded_again(log: Log, ledger: Ledger) -> None:
    log.away = True
    with pytest.raises(Away):
        await ledger.record(PUSHED, "a")
    log.away = False
    await ledger.found(Finding("gateway.doors", "kept", 0, 0))
    await ledger.record(PUSHED, "a")
    assert [event.action for event in log.held] == [PUSHED, CHECK_ACTION]
    await ledger.record(PUSHED, "a")
    assert [event.action for event in log.held] == [PUSHED, CHECK_ACTION, PUSHED]


async def test_what_changes_while_the_log_is_away_ends_as_it_is(log: Log, ledger: Ledger) -> None:
    log.away = True
    for state, digest in (("broken", "a"), ("kept", "b"), ("broken", "a")):
        with pytest.raises(Away):
            await ledger.found(Finding("gateway.doors", state, 0, 0))
        with pytest.raises(Away):
            await ledger.record(PUSHED, digest)
    log.away = False
    await ledger.confirm()
    assert [event.details.state for event in log.held if event.action == CHECK_ACTION] == ["broken", "kept", "broken"]
    assert [event.details.digest for event in log.held if event.action == PUSHED] == ["a", "b", "a"]


async def test_what_waits_for_the_log_is_bounded(log: Log, ledger: Ledger) -> None:
    log.away = True
    for number in range(MOST_WAITING + 2):
        with pytest.raises(Away):
            await ledger.found(Finding("gateway.doors", "kept", number, 0))
    with pytest.raises(Away):
        await ledger.record(ROLLED_BACK, "a")
    log.away = False
    await ledger.found(Finding("gateway.doors", "broken", 1, 0))
    assert len(log.held) == MOST_WAITING + 2, "going back is never left out, and what was full takes again"


async def test_a_lost_answer_doubles_nothing(log: Log, ledger: Ledger) -> None:
    log.deaf = True
    with pytest.raises(Away):
        await ledger.record(PUSHED, "a")
    first = log.held[0].event_id
    log.deaf = False
    await ledger.record(PUSHED, "b")
    assert [event.details.digest for event in log.held] == ["a", "b"]
    assert log.held[0].event_id == first


async def test_a_log_that_holds_less_is_not_believed(log: Log, ledger: Ledger) -> None:
    async def less(*_arguments: object) -> int:
        return 0

    log.append = less  # type: ignore[assignment,method-assign]  # a log that answers less
    with pytest.raises(Away):
        await ledger.record(PUSHED, "a")


@pytest.mark.clause("P5")
async def test_a_log_that_was_restored_gets_again_what_it_lost(log: Log, ledger: Ledger) -> None:
    for digest in ("a", "b", "c"):
        await ledger.record(PUSHED, digest)
    (epoch, *_), held = log.calls[0], list(log.held)
    for left in (1, 0):
        del log.held[left:]
        await ledger.confirm()
        assert log.held == held
    await ledger.confirm()
    assert log.shipped == (epoch, 3)
    assert {called for called, *_ in log.calls} == {epoch}


async def test_a_new_epoch_begins_where_the_log_asks_for_one(log: Log, ledger: Ledger) -> None:
    await ledger.record(PUSHED, "a")
    log.calls.append(("epo_after_a_restore", "", 0))
    ledger._agreed = False
    await ledger.record(PUSHED, "b")
    epoch, predecessor, number = log.calls[-1]
    assert (predecessor, number) == ("epo_after_a_restore", 1)
    assert epoch != log.calls[0][0]
