"""What a successful sign-in does beyond opening a session: the one before dies, the device is known, the owner told."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import select

from services.auth import tables
from services.auth.arrivals import Arrived, Visitor
from services.auth.devices import KEPT, NOTICES
from services.kit.faults import SESSION_ENDED, Fault
from services.kit.secret import Secret
from tests.unit.auth.world import EMAIL, HOME, World

ELSEWHERE = "203.0.113.9"


def visitor(*, device: str = "", session: str = "", address: str = HOME) -> Visitor:
    return Visitor(address, "firefox/linux", Secret(device) if device else None, Secret(session) if session else None)


async def mails(world: World) -> list[str]:
    world.server.taken.clear()
    while await world.courier.step():
        pass
    return [str(mail["Subject"]) for mail in world.server.taken]


async def known(world: World, account: str, token: Secret | None) -> bool:
    async with world.units.read() as store:
        return await world.devices.known(store.devices, account, token)


async def alive(world: World, arrived: Arrived) -> bool:
    try:
        await world.sessions.find(world.units, arrived.token)
    except Fault as fault:
        reason = fault.reason
    else:
        return True
    assert reason is SESSION_ENDED
    return False


async def test_a_session_says_which_device_and_network_opened_it(world: World) -> None:
    await world.member()
    session = (await world.sign_in(visitor=Visitor(ELSEWHERE, "safari/ios"))).session
    async with world.units.read() as store:
        stored = await store.sessions.get(session.session_id)
    assert stored == session
    assert (session.device, session.place) == ("safari/ios", "203.0.0.0/16")


@pytest.mark.clause("ASVS 7.2.4", "P8")
async def test_signing_in_ends_the_session_that_the_request_carried(world: World) -> None:
    account = await world.member()
    first, apart = await world.sign_in(), await world.sign_in()
    second = await world.sign_in(visitor=visitor(session=first.token.text()))
    assert (first.superseded, second.superseded) == (False, True)
    assert [await alive(world, one) for one in (first, apart, second)] == [False, True, True]
    async with world.units.read() as store:
        assert [row.session_id for row in await store.revocations.since(0, 9)] == [first.session.session_id]
    (event,) = [one for one in await world.events() if one.action == "auth.session.supersede"]
    assert (event.subject, event.object.id) == (account, first.session.session_id)


@pytest.mark.clause("ASVS 7.2.4")
async def test_a_planted_session_of_somebody_else_dies_too_and_its_owner_reads_of_it(world: World) -> None:
    bo = await world.member("bo@example.com")
    await world.member()
    planted = await world.sign_in("bo@example.com")
    await world.sign_in(visitor=visitor(session=planted.token.text()))
    assert not await alive(world, planted)
    assert [one.subject for one in await world.events() if one.action == "auth.session.supersede"] == [bo]


@pytest.mark.parametrize("token", ["vst_", "vst_" + "A" * 43, "x" * 5000, "å"])
async def test_what_is_no_session_supersedes_nothing(world: World, token: str) -> None:
    await world.member()
    assert not (await world.sign_in(visitor=visitor(session=token))).superseded


async def test_a_wrong_password_ends_no_session(world: World) -> None:
    await world.member()
    first = await world.sign_in()
    with pytest.raises(Fault):
        await world.sign_in(password="not the right one at all", visitor=visitor(session=first.token.text()))
    assert await alive(world, first)


@pytest.mark.clause("ASVS 6.3.5", "P9")
async def test_the_owner_is_told_of_a_device_the_account_did_not_know(world: World) -> None:
    account = await world.member()
    await mails(world)
    first = await world.sign_in()
    assert await mails(world) == []  # whoever confirmed the address a moment ago knows
    await world.sign_in(visitor=visitor(device=first.device_token.text(), address=ELSEWHERE))
    assert await mails(world) == []
    stranger = await world.sign_in(visitor=Visitor(ELSEWHERE, "curl"))
    assert await mails(world) == ["A new device signed in"]
    part = world.server.taken[0].get_body(("plain",))
    assert part is not None
    text = str(part.get_content())
    assert world.server.taken[0]["To"] == EMAIL
    for said in ("2026-11-22 12:00 UTC", "Device: curl", "Where: the network 203.0.0.0/16"):
        assert said in text
    assert ELSEWHERE not in text
    assert await known(world, account, stranger.device_token)


async def test_a_device_is_known_to_its_own_accounts_only(world: World) -> None:
    anna, bo = await world.member(), await world.member("bo@example.com")
    token = (await world.sign_in()).device_token
    assert await known(world, anna, token)
    assert not await known(world, bo, token)
    assert not await known(world, anna, None)
    assert not await known(world, "", token)
    again = await world.sign_in("bo@example.com", visitor=visitor(device=token.text()))
    assert again.device_token.text() == token.text()
    assert await known(world, anna, token)
    assert await known(world, bo, token)


async def test_a_device_is_forgotten_400_days_after_its_last_sign_in(world: World) -> None:
    account = await world.member()
    token = (await world.sign_in()).device_token
    world.clock.advance(399 * 86400)
    assert await known(world, account, token)
    await world.sign_in(visitor=visitor(device=token.text()))
    world.clock.advance(400 * 86400 - 0.001)
    assert await known(world, account, token)
    world.clock.advance(0.001)
    assert not await known(world, account, token)
    await mails(world)
    await world.sign_in(visitor=visitor(device=token.text()))
    assert await mails(world) == ["A new device signed in"]


@pytest.mark.parametrize("token", ["", "vdt_", "vdt_" + "A" * 44, "vst_" + "A" * 43, "å" * 47])
async def test_what_is_no_device_token_is_replaced(world: World, token: str) -> None:
    account = await world.member()
    made = (await world.sign_in(visitor=visitor(device=token))).device_token
    assert made.text() != token
    assert await known(world, account, made)


@pytest.mark.clause("ASVS 11.4.2")
async def test_the_table_of_devices_holds_hashes_and_does_not_say_who_shares_one(world: World) -> None:
    await world.member()
    await world.member("bo@example.com")
    token = (await world.sign_in()).device_token
    await world.sign_in("bo@example.com", visitor=visitor(device=token.text()))
    async with world.database.read() as connection:
        hashes = (await connection.execute(select(tables.devices.c.token_hash))).scalars().all()
    assert len(set(hashes)) == 2
    stored = b"".join(path.read_bytes() for path in world.folder.glob("auth.db*"))
    assert token.text()[4:].encode() not in stored


async def test_who_has_the_password_fills_neither_the_inbox_nor_the_table(world: World) -> None:
    await world.member()
    for _ in range(KEPT + NOTICES):
        await world.sign_in()
    assert (await mails(world)).count("A new device signed in") == NOTICES - 1
    async with world.database.read() as connection:
        assert len((await connection.execute(select(tables.devices))).all()) == KEPT
    world.clock.advance(3600.001)
    await world.sign_in()
    assert await mails(world) == ["A new device signed in"]


async def test_parallel_sign_ins_that_carry_one_session_end_it_once(world: World) -> None:
    await world.member()
    first = await world.sign_in()
    again = await asyncio.gather(*(world.sign_in(visitor=visitor(session=first.token.text())) for _ in range(4)))
    assert sum(one.superseded for one in again) == 1
    assert all([await alive(world, one) for one in again])
