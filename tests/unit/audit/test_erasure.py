"""What the log still says about somebody who was erased, and what it still proves."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Collection, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from deploy.cli.verify import receipt
from deploy.cli.verify.note import parse_key
from deploy.cli.verify.trust import Trust
from services.audit import erasure, wire
from services.audit.appender import Appender
from services.audit.bodies import Bodies
from services.audit.entry_keys import derive
from services.audit.erasure import Eraser, Reduced
from services.audit.event import canonical
from services.audit.leaf import entry
from services.audit.retention.security import SecurityRecord, reduced
from services.audit.retention.sql_erasures import SqlErasures
from services.audit.tables import ENTRIES, SECURITY
from services.kit.envelope import FileRootKey
from services.kit.event import Actor, ActorKind, Event, Origin, Outcome, Target
from services.kit.faults import Fault
from services.kit.keyring import Keyring
from tests.unit.audit.fuse import Fuse, PowerCutError
from tests.unit.audit.world import World, make_world


def eraser(world: World, fuse: Fuse | None = None) -> Eraser:
    if fuse is None:
        return world.eraser()
    return world.eraser(fuse.guard(world.erasures), fuse.guard(world.keyring))


async def remains(world: World, subject: str) -> list[SecurityRecord]:
    return (await world.reader().page(subject, None, 200))[0]


async def bodies(world: World, subject: str) -> list[bytes]:
    async with world.database.read() as connection:
        return list((await connection.execute(select(ENTRIES.c.sealed).where(ENTRIES.c.subject == subject))).scalars())


def telling(world: World, subject: str) -> Event:
    """An event with all that an event can say."""
    return world.event(
        subject,
        action="auth.link.connect",
        outcome=Outcome.DENIED,
        reason="LINK_REFUSED",
        target=Target("provider", "mail"),
        origin=Origin("192.0.2.7", "firefox/linux"),
        session=world.ids.new("ses"),
        request=world.ids.new("req"),
        trace="0" * 32,
        details={"amount_minor": 995, "currency": "sek", "provider": "mail", "purpose": "invoices"},
    )


@pytest.mark.clause("P5", "P14")
async def test_nobody_can_open_what_was_said_and_every_receipt_still_holds(world: World) -> None:
    anna, bo = world.ids.new("usr"), world.ids.new("usr")
    (event,) = await world.fill(1, anna)
    (theirs,) = await world.fill(1, bo)
    head = await world.sign()
    world.clock.advance(1)
    proof = await world.activity.receipt(anna, event.id)
    await eraser(world).erase(anna)
    world.clock.advance(61)
    assert (await world.activity.page(anna, 0, "")).shown == []
    with pytest.raises(Fault, match="NOT_FOUND"):
        await world.activity.receipt(anna, event.id)
    found = receipt.verify(proof, Trust((parse_key(world.signer.verifier.vkey),)))
    assert found.event["id"] == event.id
    assert await world.activity.receipt(bo, theirs.id)
    assert await world.sign() == head


@pytest.mark.clause("P5", "P14")
async def test_a_security_record_of_each_event_stays_and_says_as_little(world: World) -> None:
    anna = world.ids.new("usr")
    said = [telling(world, anna), world.event(anna, target=Target("file", world.ids.new("fil")))]
    said.append(world.event(anna, target=Target("ses", world.ids.new("ses")), actor=Actor(ActorKind.OPERATOR, "greta")))
    await world.append(*said)
    await eraser(world).erase(anna)
    (third, second, first) = await remains(world, anna)
    assert [first.event.id, second.event.id, third.event.id] == [event.id for event in said]
    assert [first.index, second.index, third.index] == [0, 1, 2]
    assert (first.source.producer, first.source.number) == ("files", 1)
    kept = first.event
    assert (kept.time, kept.action, kept.outcome, kept.reason) == (
        said[0].time, "auth.link.connect", Outcome.DENIED, "LINK_REFUSED"
    )  # fmt: skip
    assert kept.actor == Actor(ActorKind.CUSTOMER, anna)
    assert kept.target == Target("provider")
    assert (kept.origin, kept.session, kept.request, kept.trace, kept.details) == (None, "", "", "", {})
    assert second.event.target == said[1].target
    assert (third.event.target, third.event.actor) == (Target("ses"), Actor(ActorKind.OPERATOR, "greta"))


@pytest.mark.clause("P14")
async def test_the_bodies_leave_the_rows_so_that_an_old_copy_of_the_key_opens_nothing(world: World) -> None:
    anna = world.ids.new("usr")
    await world.fill(3, anna)
    old = await world.keyring.get_or_create(anna)
    await eraser(world).erase(anna)
    assert await bodies(world, anna) == [b"", b"", b""]

    class OldCopy:
        async def get(self, owner: str) -> bytes:
            return old

        get_or_create = get_standing = get  # whoever asks gets it

    kept = await world.records.page(anna, None, 10)
    assert [await Bodies(OldCopy(), world.security, world.cold).open(each) for each in kept] == [None] * 3


@pytest.mark.clause("P14")
async def test_the_end_of_a_months_key_ends_its_security_records(world: World) -> None:
    anna = world.ids.new("usr")
    await world.fill(2, anna)
    world.clock.advance(40 * 86400)
    await world.fill(1, anna)
    await eraser(world).erase(anna)
    assert len(await remains(world, anna)) == 3
    async with world.database.read() as connection:
        first = (await connection.execute(select(SECURITY.c.period).order_by(SECURITY.c.idx))).scalars().first()
    assert first is not None
    await world.periods.destroy(first)
    assert [record.index for record in await remains(world, anna)] == [2]


async def test_what_arrives_later_has_the_same_form_and_no_customer_sees_it(world: World) -> None:
    anna = world.ids.new("usr")
    await world.fill(1, anna)
    work = eraser(world)
    first, second = await work.erase(anna), await work.erase(anna)
    assert first.event_id != second.event_id
    late = telling(world, anna)
    await world.append(late)
    newest = (await remains(world, anna))[0]
    assert newest.event == reduced(late)
    assert await bodies(world, anna) == [b"", b""]
    assert (await world.activity.page(anna, 0, "")).shown == []
    key = await world.periods.get(late.time.strftime("%Y-%m"))
    assert key is not None
    leaf = entry(derive(key, late.id)[0], canonical(newest.event, newest.source))
    assert (await world.records.entries(newest.index, 1)) == [leaf], "its leaf commits to just what is kept"


async def test_what_arrives_when_the_time_of_its_month_is_over_leaves_a_leaf_only(world: World) -> None:
    anna = world.ids.new("usr")
    late = world.event(anna)
    await world.keyring.destroy(anna)
    await world.periods.destroy(late.time.strftime("%Y-%m"))
    await world.append(late)
    assert await world.records.size() == 1
    assert await remains(world, anna) == []
    epoch = world.ids.new("epo")
    (one,), (two,) = [await world.bodies.seal([late], "files", epoch, 1) for _ in "12"]
    assert one.entry == two.entry


@pytest.mark.clause("P14")
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(0, 20), max_size=4))
def test_killed_anywhere_it_goes_on_and_ends_the_same(
    migrated: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, cuts: list[int]
) -> None:
    """Property: whatever steps the power cuts hit, nothing is lost before the key dies, and then nothing opens."""
    monkeypatch.setattr(erasure, "PAGE", 3)

    async def scenario() -> None:
        folder = shutil.copytree(migrated, tmp_path_factory.mktemp("cut") / "audit")
        async with make_world(folder) as world:
            await _erase_with_cuts(world, cuts)

    asyncio.run(scenario())


async def _erase_with_cuts(world: World, cuts: list[int]) -> None:
    anna = world.ids.new("usr")
    events = await world.fill(7, anna)
    for cut in cuts:
        try:
            await eraser(world, Fuse(cut)).erase(anna)
        except PowerCutError:
            whole, minimal = [body for body in await bodies(world, anna) if body], await remains(world, anna)
            assert len(whole) + len(minimal) == 7
            assert not whole or await world.keyring.get(anna) is not None
    await eraser(world).erase(anna)
    assert [record.event.id for record in reversed(await remains(world, anna))] == [event.id for event in events]
    assert await bodies(world, anna) == [b""] * 7
    assert await world.keyring.get(anna) is None


async def test_a_replica_that_still_has_the_key_seals_nothing_under_it_any_more(world: World) -> None:
    anna, bo = world.ids.new("usr"), world.ids.new("usr")
    await world.fill(1, anna)
    root = FileRootKey(world.folder / "root")
    other = Bodies(Keyring(world.keys_database, root, "audit", world.clock), world.security, world.cold)
    appender = Appender(world.records, other, wire.event_of, world.sequencer, world.heads)
    committer = asyncio.create_task(appender.run())
    warm = world.event(anna)
    await appender.append(world.place("other"), [warm])
    await eraser(world).erase(anna)
    late, theirs = world.event(anna), world.event(bo)
    assert await appender.append(world.place("other", 2), [late, theirs]) == 3
    committer.cancel()
    assert (await remains(world, anna))[0].event.id == late.id
    assert await bodies(world, anna) == [b""] * 3
    assert [shown.event for shown in (await world.activity.page(bo, 0, "")).shown] == [theirs]


async def test_a_database_that_came_back_with_bodies_is_cleared_again(world: World) -> None:
    anna = world.ids.new("usr")
    await world.fill(2, anna)
    await world.keyring.destroy(anna)
    await eraser(world).erase(anna)
    assert await bodies(world, anna) == [b"", b""]
    assert await remains(world, anna) == []


async def test_a_body_that_was_changed_does_not_keep_the_rest_from_being_erased(world: World) -> None:
    anna = world.ids.new("usr")
    first, second = await world.fill(2, anna)
    async with world.database.write() as connection:
        await connection.execute(update(ENTRIES).where(ENTRIES.c.event_id == first.id).values(sealed=bytes(99)))
    await eraser(world).erase(anna)
    assert [record.event.id for record in await remains(world, anna)] == [second.id]
    assert await world.keyring.get(anna) is None


async def test_an_erasure_is_many_short_transactions_between_which_others_append(world: World) -> None:
    anna = world.ids.new("usr")
    await world.fill(1000, anna)
    sizes: list[int] = []

    class Watched(SqlErasures):
        async def reduce(self, subject: str, records: Sequence[Reduced], active: Collection[str]) -> None:
            sizes.append(len(records))
            await super().reduce(subject, records, active)

    running = asyncio.create_task(world.eraser(Watched(world.database, world.clock)).erase(anna))
    appended_meanwhile = 0
    while not running.done():
        await world.append(world.event())
        appended_meanwhile += 1
    await running
    assert max(sizes) <= erasure.PAGE
    assert sum(sizes) == 1000
    assert appended_meanwhile >= len(sizes)
