"""What a person takes along of what auth holds about them."""

from __future__ import annotations

import pytest

from services.auth.dossier import dossier
from services.kit.faults import INVALID_ARGUMENT, NOT_FOUND, Fault
from tests.unit.auth.world import EMAIL, PASSWORD, World


async def test_it_holds_the_account_its_sessions_and_its_devices_and_nobody_elses(world: World) -> None:
    account = await world.member()
    await world.member("bo@example.com")
    await world.sign_in("bo@example.com")
    opened = []
    for _ in range(5):
        world.clock.advance(1)
        opened.append(await world.sign_in())
    async with world.work() as work:
        store = await work.write()
        await world.sessions.end(store.sessions, store.revocations, opened[0].session.session_id)
    held = await dossier.export(world.work(), account, 0, "")
    assert held.account is not None
    assert (held.account.account_id, held.account.email, held.has_password) == (account, EMAIL, True)
    assert [one.session_id for one in held.sessions] == [one.session.session_id for one in reversed(opened)]
    assert [one.ended is not None for one in held.sessions] == [False] * 4 + [True]
    assert len(held.devices) == 5
    assert held.next_token == ""


async def test_no_secret_and_no_hash_of_one_is_in_it(world: World) -> None:
    account = await world.member()
    opened = await world.sign_in()
    async with world.units.read() as store:
        _, stored = (await store.accounts.credentials(EMAIL)) or (None, None)
    assert stored is not None
    shown = repr(await dossier.export(world.work(), account, 0, ""))
    for secret in (PASSWORD, opened.token.text(), opened.device_token.text(), stored.digest, "argon2"):
        assert secret not in shown


async def test_many_sessions_come_in_pages(world: World) -> None:
    account = await world.member()
    opened = []
    for _ in range(5):
        world.clock.advance(1)
        opened.append((await world.sign_in()).session.session_id)
    seen, token, pages = [], "", 0
    while pages == 0 or token:
        page = await dossier.export(world.work(), account, 2, token)
        assert (page.account is not None) == (pages == 0)
        seen += [one.session_id for one in page.sessions]
        token, pages = page.next_token, pages + 1
    assert (seen, pages) == (opened[::-1], 3)


@pytest.mark.parametrize("size, token", [(-1, ""), (501, ""), (0, "ses_"), (0, "usr_01jd9xk8w0q2m3n4p5r6s7t8v9")])
async def test_no_other_page_exists(world: World, size: int, token: str) -> None:
    account = await world.member()
    with pytest.raises(Fault) as refused:
        await dossier.export(world.work(), account, size, token)
    assert refused.value.reason is INVALID_ARGUMENT


async def test_nobody_has_nothing(world: World) -> None:
    with pytest.raises(Fault) as refused:
        await dossier.export(world.work(), "usr_01jd9xk8w0q2m3n4p5r6s7t8v9", 0, "")
    assert refused.value.reason is NOT_FOUND
