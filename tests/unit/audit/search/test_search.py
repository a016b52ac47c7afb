"""What operators find, page by page, and what they cannot make of a page token."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from services.audit import merkle
from services.audit.search.terms import Terms
from services.audit.tables import EVENT_INDEX
from services.kit.event import Actor, ActorKind, Target
from services.kit.faults import Fault
from tests.unit.audit.world import World


@pytest.fixture
async def world(world: World) -> World:
    """A log whose index is whole."""
    while await world.filling.step():
        pass
    return world


async def test_an_operator_finds_anyones_events_and_learns_whose_they_are(world: World) -> None:
    anna, bo = world.ids.new("usr"), world.ids.new("usr")
    events = [world.event(anna), world.event(bo), world.event(), world.event(bo, "files.file.delete")]
    await world.append(*events)
    await world.sign()
    world.clock.advance(1)
    late = world.event(bo)
    await world.append(late)
    found = await world.search.page("greta", Terms(action="files.file.download"), 0, "")
    assert [shown.event for shown in found.shown] == [late, events[2], events[1], events[0]]
    assert [shown.provable for shown in found.shown] == [False, True, True, True]
    entries = await world.records.entries(0, 10)
    assert [shown.leaf_hash for shown in found.shown] == [merkle.leaf_hash(entries[at]) for at in (4, 2, 1, 0)]
    assert found.customers == {anna: 1, bo: 2}
    assert (found.count is not None and found.count.at_least, found.next_token) == (4, "")


async def test_pages_follow_each_other_and_only_the_first_counts(world: World) -> None:
    events = await world.fill(7, world.ids.new("usr"))
    token, seen, counts = "", list[str](), []
    for _ in range(3):
        found = await world.search.page("greta", Terms(area="files"), 3, token)
        seen += [shown.event.id for shown in found.shown]
        counts.append(found.count)
        token = found.next_token
    assert seen == [event.id for event in reversed(events)]
    assert token == ""
    assert [count and count.at_least for count in counts] == [7, None, None]


@pytest.mark.clause("ASVS 8.2.2")
async def test_a_page_token_belongs_to_one_operator_and_one_question(world: World) -> None:
    anna = world.ids.new("usr")
    await world.fill(5, anna)
    asked = Terms(subject=anna, action="files.file.download", until=world.clock.now() + timedelta(hours=1))
    token = (await world.search.page("greta", asked, 1, "")).next_token
    assert (await world.search.page("greta", asked, 1, token)).shown
    others = [
        ("nils", asked, token),
        ("greta", replace(asked, subject=world.ids.new("usr")), token),
        ("greta", replace(asked, action=""), token),
        ("greta", replace(asked, until=None), token),
        ("greta", replace(asked, action="", object="files.file.download"), token),
        ("greta", asked, token[:-2] + ("AA" if token[-2:] != "AA" else "BB")),
        ("greta", asked, "?"),
        ("greta", asked, "A" * 100_000),
        ("greta", asked, (await world.activity.page(anna, 1, "")).next_token),
    ]
    for who, what, given in others:
        with pytest.raises(Fault, match="INVALID_ARGUMENT"):
            await world.search.page(who, what, 1, given)
    with pytest.raises(Fault, match="INVALID_ARGUMENT"):
        await world.activity.page(anna, 1, token, Terms(action="files.file.download"))


@pytest.mark.parametrize("size", [-1, 101, 1 << 31])
async def test_a_page_is_bounded(world: World, size: int) -> None:
    with pytest.raises(Fault, match="INVALID_ARGUMENT"):
        await world.search.page("greta", Terms(), size, "")


async def test_a_word_that_shares_its_tag_with_another_is_not_shown_for_it(world: World) -> None:
    await world.append(world.event(action="files.file.list"), world.event(action="files.file.delete"))
    async with world.database.write() as connection:  # as if both had one tag
        await connection.execute(update(EVENT_INDEX).values(action=EVENT_INDEX.c.action - EVENT_INDEX.c.action))
    wanted = Terms(action="files.file.list")
    tagger = await world.search._finder._tagging.tagger()
    tagger._known["action", "files.file.list"] = 0
    found = await world.search.page("greta", wanted, 0, "")
    assert [shown.event.action for shown in found.shown] == ["files.file.list"]


async def test_ten_thousand_events_that_do_not_answer_end_in_an_empty_page_and_a_token(world: World) -> None:
    await world.fill(10_000, world.ids.new("usr"))
    asked = Terms(action="files.file.download", kind="operator")
    token, pages = "", 0
    while True:
        found = await world.search.page("greta", asked, 100, token)
        assert not found.shown
        token, pages = found.next_token, pages + 1
        if not token:
            break
    assert pages == 5


async def test_a_thing_is_found_by_its_id_and_by_its_kind_when_it_has_none(world: World) -> None:
    file = world.ids.new("fil")
    of_a_file, of_the_policy = (
        world.event(target=Target("file", file)),
        world.event(target=Target("policy"), actor=Actor(ActorKind.OPERATOR, "nils")),
    )
    await world.append(of_a_file, of_the_policy)
    for terms, event in (
        (Terms(object=file), of_a_file),
        (Terms(object="policy"), of_the_policy),
        (Terms(actor="nils", kind="operator"), of_the_policy),
    ):
        assert [shown.event for shown in (await world.search.page("greta", terms, 0, "")).shown] == [event]


@pytest.mark.clause("P5")
async def test_a_customer_filters_their_own_events_and_never_gets_anothers(world: World) -> None:
    anna, bo = world.ids.new("usr"), world.ids.new("usr")
    mine = world.event(anna, "auth.session.open")
    by_an_operator = world.event(anna, "auth.operator.find", actor=Actor(ActorKind.OPERATOR, "greta"))
    await world.append(mine, by_an_operator, world.event(bo, "auth.session.open"))
    for terms, events in (
        (Terms(action="auth.session.open"), [mine]),
        (Terms(area="auth"), [by_an_operator, mine]),
        (Terms(kind="operator"), [by_an_operator]),
        (Terms(kind="customer", area="billing"), []),
        (Terms(subject=bo), [by_an_operator, mine]),
    ):
        page = await world.activity.page(anna, 0, "", terms)
        assert [shown.event for shown in page.shown] == events
        assert page.next_token == ""


async def test_nobody_filters_before_the_index_is_whole(home: object, world: World) -> None:
    world.filling._complete = False
    anna = world.ids.new("usr")
    (event,) = await world.fill(1, anna)
    for ask in (
        lambda: world.activity.page(anna, 0, "", Terms(area="files")),
        lambda: world.search.page("greta", Terms(), 0, ""),
    ):
        with pytest.raises(Fault, match="INDEX_INCOMPLETE"):
            await ask()
    assert [shown.event for shown in (await world.activity.page(anna, 0, "")).shown] == [event], "all need no index"
