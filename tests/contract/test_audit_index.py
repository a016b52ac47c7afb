"""One suite for the index of events: what is found, page by page, in each database."""

from __future__ import annotations

from datetime import timedelta
from itertools import combinations

import pytest
from sqlalchemy import delete, select, update

from services.audit.search import sql, tags
from services.audit.search.sql_filling import SqlFilling
from services.audit.search.store import Count, Found, Position, Span
from services.audit.search.tags import Tagging
from services.audit.search.terms import FIELDS, Terms
from services.audit.tables import EVENT_INDEX, INDEX_STATE
from services.kit.event import Actor, ActorKind, Event, Outcome, Target
from services.kit.faults import Fault
from services.kit.outbox import outbox_tables
from tests.unit.audit.world import World

EVER = Span(None, None, None)


async def found(world: World, terms: Terms, limit: int = 5) -> list[str]:
    """Return the ids of all events that answer, by as many pages as it takes."""
    wanted = (await Tagging(world.keyring).tagger()).wanted(terms)
    before: Position | None = None
    ids: list[str] = []
    while True:
        page = await world.index.page(wanted, Span(terms.since, terms.until, before), limit)
        assert len(page.kept) <= limit
        ids += [kept.event_id for kept in page.kept]
        before = page.resume
        if before is None:
            return ids


async def mixed(world: World) -> list[Event]:
    """Append events that differ in every field, some of them late."""
    people = [world.ids.new("usr") for _ in range(2)]
    things = [world.ids.new("fil") for _ in range(2)]
    events = []
    for number in range(48):
        subject = people[number % 2]
        actor = Actor(ActorKind.OPERATOR, "greta") if number % 5 == 0 else Actor(ActorKind.CUSTOMER, subject)
        outcome = Outcome.DENIED if number % 3 == 0 else Outcome.SUCCESS
        events.append(
            world.event(
                subject,
                ("files.file.list", "auth.session.open", "files.file.delete")[number % 7 % 3],
                actor=actor,
                outcome=outcome,
                reason="NOT_FOUND" if outcome is Outcome.DENIED else "",
                target=Target("file", things[number % 4 // 2]) if number % 4 else None,
                time=world.clock.now() - timedelta(seconds=number * 37 % 48),
            )
        )
    await world.append(*events)
    return events


def sample(events: list[Event]) -> Terms:
    one = next(event for event in events if event.target and event.outcome is Outcome.DENIED)
    assert one.target is not None
    return Terms(
        subject=one.subject,
        actor=one.actor.id,
        kind=one.actor.kind.value,
        action=one.action,
        area="files" if one.action.startswith("files") else "auth",
        object=one.target.id,
        outcome=one.outcome.value,
        since=one.time - timedelta(seconds=9),
        until=one.time + timedelta(seconds=9),
    )


async def test_every_combination_finds_what_answers_it_and_nothing_else_newest_first(world: World) -> None:
    events = await mixed(world)
    whole = sample(events)
    names = [*FIELDS, "since", "until"]
    newest = sorted(enumerate(events), key=lambda pair: (pair[1].time, pair[0]), reverse=True)
    for size in (0, 1, 2, 3, len(names)):
        for chosen in combinations(names, size):
            terms = Terms(**{name: getattr(whole, name) for name in chosen})
            assert await found(world, terms) == [event.id for _, event in newest if terms.answered_by(event)]


async def test_a_combination_that_matches_nothing_ends_each_page_after_a_bounded_look(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql, "EXAMINED", 64)
    monkeypatch.setattr(sql, "_FIRST_LOOK", 16)
    anna = world.ids.new("usr")
    for action in ("files.file.list", "files.file.delete"):
        await world.append(*[world.event(anna, action) for _ in range(150)])
    await world.append(*[world.event(world.ids.new("usr"), "files.file.delete") for _ in range(150)])
    wanted = (await Tagging(world.keyring).tagger()).wanted(Terms(subject=anna, action="files.file.read"))
    assert await world.index.page(wanted, EVER, 10) == Found([], None), "no such action: that index is short"
    wanted = (await Tagging(world.keyring).tagger()).wanted(Terms(outcome="success", kind="operator"))
    pages, before = 0, None
    while True:
        page = await world.index.page(wanted, Span(None, None, before), 10)
        assert page.kept == []
        pages, before = pages + 1, page.resume
        if before is None:
            break
    assert pages == -(-450 // 64)
    assert await world.index.count(wanted, EVER) == Count(0, exact=False)


async def test_a_count_says_whether_it_is_exact(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    anna = world.ids.new("usr")
    await world.fill(12, anna)
    wanted = (await Tagging(world.keyring).tagger()).wanted(Terms(subject=anna))
    assert await world.index.count(wanted, EVER) == Count(12, exact=True)
    monkeypatch.setattr(sql, "COUNTED", 11)
    assert await world.index.count(wanted, EVER) == Count(11, exact=False)
    monkeypatch.setattr(sql, "COUNTED", 1000)
    monkeypatch.setattr(sql, "EXAMINED", 8)
    assert await world.index.count(wanted, EVER) == Count(8, exact=False)


@pytest.mark.clause("P5", "P14")
async def test_nobody_is_found_by_what_was_said_about_who_was_erased(world: World) -> None:
    anna, bo = world.ids.new("usr"), world.ids.new("usr")
    for _ in range(3):
        await world.fill(100, anna)
        await world.fill(1, bo)
    await world.eraser().erase(anna)
    await world.fill(7, anna)
    async with world.database.read() as connection:
        rows = (await connection.execute(select(EVENT_INDEX))).all()
    assert len(rows) == 310
    assert sum(all(value is None for value in row[1:]) for row in rows) == 307
    assert len(await found(world, Terms(action="files.file.download"))) == 3
    assert await found(world, Terms(subject=anna)) == []
    assert len(await found(world, Terms(subject=bo))) == 3


async def test_the_backfill_makes_lines_for_what_came_before_it_and_says_so_once(world: World) -> None:
    events = [*await world.fill(1500, world.ids.new("usr")), *await world.fill(700)]
    async with world.database.write() as connection:
        await connection.execute(delete(EVENT_INDEX).where(EVENT_INDEX.c.idx != 77))
    with pytest.raises(Fault, match="INDEX_INCOMPLETE"):
        world.filling.require_complete()
    for _ in range(2):
        assert await world.filling.step()
    async with world.database.read() as connection:
        state = (await connection.execute(select(INDEX_STATE))).one()
    assert (state.version, state.filled) == (tags.VERSION, 2048)
    with pytest.raises(Fault, match="INDEX_INCOMPLETE"):
        world.filling.require_complete()
    while await world.filling.step():
        pass
    world.filling.require_complete()
    assert sorted(await found(world, Terms(action="files.file.download"), 100)) == sorted(one.id for one in events)
    outbox, _ = outbox_tables(EVENT_INDEX.metadata)
    async with world.database.read() as connection:
        assert len((await connection.execute(select(outbox.c.id))).all()) == 1


async def test_an_index_of_another_version_is_made_anew(world: World) -> None:
    events = await world.fill(30, world.ids.new("usr"))
    while await world.filling.step():
        pass
    async with world.database.write() as connection:
        await connection.execute(update(INDEX_STATE).values(version=tags.VERSION + 1))
        await connection.execute(update(EVENT_INDEX).values(action=1, time_ms=1))
    while await world.filling.step():
        pass
    assert len(await found(world, Terms(action="files.file.download"))) == len(events)


async def test_a_line_of_who_was_erased_is_filled_blank(world: World) -> None:
    anna = world.ids.new("usr")
    await world.fill(3, anna)
    await world.eraser().erase(anna)
    async with world.database.write() as connection:
        await connection.execute(delete(EVENT_INDEX))
    while await world.filling.step():
        pass
    world.filling.require_complete()
    assert await found(world, Terms()) == []


async def test_a_person_who_is_erased_while_their_lines_are_made_is_not_found(world: World) -> None:
    anna = world.ids.new("usr")
    await world.fill(3, anna)
    async with world.database.write() as connection:
        await connection.execute(delete(EVENT_INDEX))
    made = SqlFilling(world.database)
    tagger = await Tagging(world.keyring).tagger()
    lines = {kept.index: tagger.of(world.event(anna)) for kept in await made.missing(0, 3)}
    await world.eraser().erase(anna)
    assert await made.fill(0, 3, dict(lines))
    assert not await made.fill(0, 3, dict(lines)), "another replica has moved the mark"
    assert await found(world, Terms(subject=anna)) == []
