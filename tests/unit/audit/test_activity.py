"""What customers see of the log."""

from __future__ import annotations

import pytest

from services.audit import leaf, merkle
from services.kit.faults import Fault
from tests.unit.audit.world import World


@pytest.fixture
def anna(world: World) -> str:
    return world.ids.new("usr")


@pytest.fixture
def bo(world: World) -> str:
    return world.ids.new("usr")


async def test_a_customer_sees_their_events_and_no_others_newest_first(world: World, anna: str, bo: str) -> None:
    first, hers = world.event(anna), world.event(anna, action="files.file.delete")
    await world.append(first, world.event(bo), world.event(), hers)
    page = await world.activity.page(anna, 0, "")
    assert [shown.event for shown in page.shown] == [hers, first]
    assert [shown.index for shown in page.shown] == [3, 0]
    assert page.shown[0].source.producer == "files"
    assert page.next_token == ""


async def test_pages_follow_each_other_without_loss_or_repetition(world: World, anna: str) -> None:
    events = await world.fill(7, anna)
    token, seen = "", []
    for _ in range(3):
        page = await world.activity.page(anna, 3, token)
        seen += [shown.event.id for shown in page.shown]
        token = page.next_token
    assert seen == [event.id for event in reversed(events)]
    assert token == ""


async def test_a_page_token_belongs_to_one_customer(world: World, anna: str, bo: str) -> None:
    await world.fill(3, anna)
    token = (await world.activity.page(anna, 1, "")).next_token
    for who, what in ((bo, token), (anna, token[:-2] + "AA"), (anna, "?"), (anna, "1")):
        with pytest.raises(Fault, match="INVALID_ARGUMENT"):
            await world.activity.page(who, 1, what)


@pytest.mark.parametrize("size", [-1, 201])
async def test_a_page_has_a_size(world: World, anna: str, size: int) -> None:
    with pytest.raises(Fault, match="INVALID_ARGUMENT"):
        await world.activity.page(anna, size, "")


@pytest.mark.clause("P5")
async def test_an_event_is_provable_once_signed_and_not_before(world: World, anna: str) -> None:
    (event,) = await world.fill(1, anna)
    assert not (await world.activity.page(anna, 0, "")).shown[0].provable
    with pytest.raises(Fault, match="NOT_YET_PROVABLE") as refused:
        await world.activity.receipt(anna, event.id)
    assert refused.value.retry_after == 1
    await world.sign()
    world.clock.advance(1)
    assert (await world.activity.page(anna, 0, "")).shown[0].provable
    assert (await world.activity.receipt(anna, event.id)).startswith(b"c2sp.org/tlog-proof@v1\nextra ")


async def test_anothers_receipt_does_not_exist(world: World, anna: str, bo: str) -> None:
    (event,) = await world.fill(1, anna)
    nobodys = world.event()
    await world.append(nobodys)
    await world.sign()
    for who, what in ((bo, event.id), (anna, world.ids.new("evt")), (anna, nobodys.id), ("", nobodys.id)):
        with pytest.raises(Fault, match="NOT_FOUND"):
            await world.activity.receipt(who, what)


@pytest.mark.clause("P5")
async def test_destroying_the_key_erases_the_events_and_leaves_the_tree(world: World, anna: str, bo: str) -> None:
    (hers,), (his,) = await world.fill(1, anna), await world.fill(1, bo)
    head = await world.sign()
    await world.keyring.destroy(anna)
    world.clock.advance(1)
    assert (await world.activity.page(anna, 0, "")).shown == []
    with pytest.raises(Fault, match="NOT_FOUND"):
        await world.activity.receipt(anna, hers.id)
    assert await world.activity.receipt(bo, his.id)
    assert await world.sign() == head


async def test_the_store_holds_no_plaintext(world: World, anna: str) -> None:
    event = world.event(anna, action="files.file.shred")
    await world.append(event)
    await world.sign()
    for database in (world.database, world.keys_database, world.heads_database):
        await database.close()
    held = b"".join(path.read_bytes() for path in world.folder.rglob("*") if path.is_file())
    assert event.id.encode() in held
    assert b"files.file.shred" not in held


async def test_the_same_record_makes_the_same_leaf_after_a_restore(world: World, anna: str) -> None:
    event = world.event(anna)
    epoch = world.ids.new("epo")
    (one,), (two,) = [await world.bodies.seal([event], "files", epoch, 1) for _ in "12"]
    assert one.entry == two.entry
    assert one.sealed != two.sealed
    assert merkle.leaf_hash(one.entry) == merkle.leaf_hash(two.entry)
    assert len(one.entry) == 1 + leaf.SALT_BYTES


async def test_an_export_carries_the_receipt_of_every_event_that_is_covered(world: World, anna: str, bo: str) -> None:
    covered = await world.fill(3, anna)
    await world.fill(2, bo)
    await world.sign()
    world.clock.advance(1)
    (late,) = await world.fill(1, anna)
    page = await world.activity.page(anna, 0, "", receipts=True)
    assert [shown.event.id for shown in page.shown] == [late.id, *(event.id for event in reversed(covered))]
    assert [bool(receipt) for receipt in page.receipts] == [False, True, True, True]
    for shown, receipt in zip(page.shown[1:], page.receipts[1:], strict=True):
        assert receipt == await world.activity.receipt(anna, shown.event.id)
    assert (await world.activity.page(anna, 0, "")).receipts == []
