"""Nothing happens unrecorded: records share the action's transaction, reads share a commit, numbers have no gaps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select

from services.kit.event import EventError
from services.kit.faults import Fault
from services.kit.ids import Ids
from services.kit.outbox import RESERVE_BYTES, Outbox
from services.kit.relay import CONFIRM_SECONDS, KEEP_SECONDS, LEASE_SECONDS, Relay
from services.kit.shipping import Away
from services.kit.telemetry import Log
from tests.support.clock import FakeClock
from tests.support.stores import make_outbox
from valv.audit.v1 import event_pb2


class FakeLog:
    """The audit log as the relay sees it: exactly the next number, or it says what it holds."""

    def __init__(self) -> None:
        self.epochs: dict[str, list[str]] = {}
        self.away = False
        self.appends = 0
        self.grew = asyncio.Event()
        self.shipped: tuple[str, int] | None = None

    async def head(self, epoch: str = "", shipped: int = 0) -> tuple[str, int]:
        if self.away:
            raise Away
        self.shipped = (epoch, shipped)
        epoch = next(reversed(self.epochs), "")
        return epoch, len(self.epochs.get(epoch, ()))

    async def append(self, epoch: str, predecessor: str, first_number: int, events: Sequence[bytes]) -> int:
        if self.away:
            raise Away
        self.appends += 1
        self.grew.set()
        held = self.epochs.setdefault(epoch, [])
        if first_number > len(held) + 1:
            return len(held)
        held.extend(event_pb2.Event.FromString(data).event_id for data in events[len(held) + 1 - first_number :])
        return len(held)

    async def reaches(self, count: int) -> None:
        while len(self.held) < count:
            self.grew.clear()
            await self.grew.wait()

    @property
    def held(self) -> list[str]:
        return [event for events in self.epochs.values() for event in events]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def outbox(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Outbox]:
    made = await make_outbox(tmp_path, clock)
    yield made
    await made.close()
    await made.database.close()


def _event(outbox: Outbox) -> event_pb2.Event:
    made = outbox.event("test.thing.do")
    made.actor.CopyFrom(event_pb2.Actor(kind=event_pb2.Actor.KIND_SERVICE, id="test"))
    return made


def _relay(outbox: Outbox, log: FakeLog, clock: FakeClock) -> Relay:
    return Relay(outbox, log, clock, Ids(clock), Log("test"))


async def _ship(relay: Relay) -> None:
    while await relay.step():
        pass


async def _write(outbox: Outbox, count: int) -> list[str]:
    events = [_event(outbox) for _ in range(count)]
    await asyncio.gather(*(outbox.record(event) for event in events))
    return [event.event_id for event in events]


async def test_a_record_commits_and_rolls_back_with_the_action(outbox: Outbox) -> None:
    async def half() -> None:
        async with outbox.database.write() as connection:
            await outbox.add(connection, _event(outbox))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await half()
    async with outbox.database.write() as connection:
        await outbox.add(connection, _event(outbox))
    async with outbox.database.read() as connection:
        assert (await connection.execute(select(func.count()).select_from(outbox.table))).scalar_one() == 1


async def test_reads_of_one_moment_share_a_commit(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    commits = 0
    write = outbox.database.write

    def counting() -> object:
        nonlocal commits
        commits += 1
        return write()

    monkeypatch.setattr(outbox.database, "write", counting)
    await _write(outbox, 200)
    assert commits <= 3


async def test_a_record_that_cannot_be_written_refuses(outbox: Outbox) -> None:
    async with outbox.database.write() as connection:
        await connection.exec_driver_sql("DROP TABLE outbox")
    with pytest.raises(Fault) as caught:
        await outbox.record(_event(outbox))
    assert caught.value.reason.name == "AUDIT_UNAVAILABLE"


async def test_what_the_log_would_refuse_fails_the_action(outbox: Outbox) -> None:
    wrong = _event(outbox)
    wrong.details.currency = "not a currency"
    with pytest.raises(EventError, match="currency"):
        await outbox.record(wrong)
    async with outbox.database.write() as connection:
        with pytest.raises(EventError, match="currency"):
            await outbox.add(connection, wrong)


async def test_the_last_of_the_disk_is_kept_for_what_must_always_be_possible(outbox: Outbox) -> None:
    left = RESERVE_BYTES
    outbox._free = lambda _folder: left
    outbox.admit(reserved=False)
    left -= 1
    outbox.admit(reserved=True)
    with pytest.raises(Fault, match="AUDIT_UNAVAILABLE"):
        outbox.admit(reserved=False)


async def test_everything_written_is_shipped_once_and_in_order(outbox: Outbox, clock: FakeClock) -> None:
    log = FakeLog()
    written = await _write(outbox, 700)
    await _ship(_relay(outbox, log, clock))
    written += await _write(outbox, 3)
    clock.advance(LEASE_SECONDS + 1)
    await _ship(_relay(outbox, log, clock))
    assert sorted(log.held) == sorted(written)
    assert len(log.epochs) == 1


async def test_the_log_may_be_away(outbox: Outbox, clock: FakeClock) -> None:
    log = FakeLog()
    log.away = True
    relay = _relay(outbox, log, clock)
    written = await _write(outbox, 5)
    with pytest.raises(Away):
        await relay.step()
    log.away = False
    await _ship(relay)
    assert sorted(log.held) == sorted(written)


async def test_a_log_that_went_back_gets_a_replay(outbox: Outbox, clock: FakeClock) -> None:
    log = FakeLog()
    written = await _write(outbox, 10)
    await _ship(_relay(outbox, log, clock))
    epoch = next(iter(log.epochs))
    del log.epochs[epoch][4:]
    clock.advance(LEASE_SECONDS + 1)
    await _ship(_relay(outbox, log, clock))
    assert sorted(log.held) == sorted(written)


async def test_an_empty_log_gets_everything_again(outbox: Outbox, clock: FakeClock) -> None:
    written = await _write(outbox, 4)
    await _ship(_relay(outbox, FakeLog(), clock))
    clock.advance(LEASE_SECONDS + 1)
    fresh = FakeLog()
    await _ship(_relay(outbox, fresh, clock))
    assert sorted(fresh.held) == sorted(written)


async def test_a_restored_outbox_begins_a_new_epoch(outbox: Outbox, clock: FakeClock) -> None:
    log = FakeLog()
    await _write(outbox, 5)
    await _ship(_relay(outbox, log, clock))
    first = next(iter(log.epochs))
    async with outbox.database.write() as connection:  # the backup was taken when 2 had been written
        await connection.exec_driver_sql("DELETE FROM outbox WHERE id > 2")
        await connection.exec_driver_sql("UPDATE outbox_state SET numbered = 2, shipped = 2")
    fresh = await _write(outbox, 3)
    clock.advance(LEASE_SECONDS + 1)
    await _ship(_relay(outbox, log, clock))
    assert list(log.epochs) == [first, next(reversed(log.epochs))]
    assert sorted(log.epochs[next(reversed(log.epochs))]) == sorted(fresh)
    assert len(log.epochs[first]) == 5


@pytest.mark.clause("P5")
async def test_what_follows_a_record_soon_travels_together(
    outbox: Outbox, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.kit.relay.GATHER_SECONDS", 2.0)
    log = FakeLog()
    running = asyncio.ensure_future(_relay(outbox, log, clock).run())
    await _write(outbox, 1)
    await log.reaches(1)
    await _write(outbox, 10)
    await log.reaches(11)
    running.cancel()
    await asyncio.wait({running})
    assert log.appends == 2


async def test_a_running_relay_notices_that_the_log_went_back(outbox: Outbox, clock: FakeClock) -> None:
    log = FakeLog()
    written = await _write(outbox, 10)
    relay = _relay(outbox, log, clock)
    await _ship(relay)
    (epoch,) = log.epochs
    assert log.shipped == (epoch, 10), "the log is told that there is no more"
    del log.epochs[epoch][4:]
    await _ship(relay)
    assert len(log.held) == 4, "it does not ask all the time"
    clock.advance(CONFIRM_SECONDS)
    await _ship(relay)
    assert sorted(log.held) == sorted(written)


@pytest.mark.clause("P5")
@pytest.mark.parametrize("left", [None, 0, 3, 5])
async def test_a_log_that_lost_whole_epochs_gets_them_all_again(
    outbox: Outbox, clock: FakeClock, left: int | None
) -> None:
    log = FakeLog()
    written = await _write(outbox, 5)
    await _ship(_relay(outbox, log, clock))
    for epoch in ("epo_of_a_restored_log", "epo_of_another"):
        log.epochs[epoch] = []
        clock.advance(LEASE_SECONDS + 1)
        await _ship(_relay(outbox, log, clock))
        written += await _write(outbox, 3)
        clock.advance(LEASE_SECONDS + 1)
        await _ship(_relay(outbox, log, clock))
    first, *later = [epoch for epoch, held in log.epochs.items() if held]
    log.epochs = {} if left is None else {first: log.epochs[first][:left]}
    clock.advance(LEASE_SECONDS + 1)
    await _ship(_relay(outbox, log, clock))
    assert sorted(log.held) == sorted(written)
    assert list(log.epochs) == [first, *later]


async def test_two_relays_never_work_at_once(outbox: Outbox, clock: FakeClock) -> None:
    log = FakeLog()
    one, two = _relay(outbox, log, clock), _relay(outbox, log, clock)
    written = await _write(outbox, 2)
    await _ship(one)
    written += await _write(outbox, 2)
    assert await two.step() is False
    assert len(log.held) == 2
    clock.advance(LEASE_SECONDS + 1)
    await _ship(two)
    assert sorted(log.held) == sorted(written)
    assert await one.step() is False


async def test_shipped_records_are_kept_for_fourteen_days(outbox: Outbox, clock: FakeClock) -> None:
    relay = _relay(outbox, FakeLog(), clock)
    await _write(outbox, 3)
    await _ship(relay)
    for seconds, left in ((KEEP_SECONDS - 60, 3), (120, 0)):
        clock.advance(seconds)
        relay._pruned = 0
        await relay.step()
        async with outbox.database.read() as connection:
            assert (await connection.execute(select(func.count()).select_from(outbox.table))).scalar_one() == left


async def test_what_has_not_shipped_is_never_pruned(outbox: Outbox, clock: FakeClock) -> None:
    relay = _relay(outbox, FakeLog(), clock)
    await _ship(relay)
    async with outbox.database.write() as connection:
        old = {"event": b"x", "created_ms": 0, "epoch": "epo_other", "number": None}
        await connection.execute(insert(outbox.table), [old])
    relay._pruned = 0
    await relay._prune()
    async with outbox.database.read() as connection:
        assert (await connection.execute(select(func.count()).select_from(outbox.table))).scalar_one() == 1
