"""The queue of mails: what it holds, when it tries again, and when it gives up."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import select

from services.auth import tables
from services.auth.courier import PAUSES, Undelivered
from services.auth.mail import Outgoing
from tests.unit.auth.world import EMAIL, URL, World, sha256
from valv.audit.v1 import event_pb2


async def test_the_queue_holds_ids_only_and_the_token_exists_once_it_is_sent(world: World) -> None:
    await world.sign_up()
    async with world.database.read() as connection:
        row = (await connection.execute(select(tables.mails))).one()
        tokens = (await connection.execute(select(tables.mail_tokens))).all()
    assert not tokens
    assert EMAIL not in json.dumps([str(value) for value in row])
    token = await world.mailed_token()
    async with world.database.read() as connection:
        assert (await connection.execute(select(tables.mail_tokens.c.token_hash))).scalar_one() == sha256(token)
        assert (await connection.execute(select(tables.mails))).all() == []


@pytest.mark.clause("ASVS 14.2.1")
async def test_the_link_carries_the_token_in_the_fragment_in_both_parts(world: World) -> None:
    await world.sign_up()
    token = await world.mailed_token()
    mail = world.server.taken[0]
    assert (mail["To"], mail["From"], mail["Auto-Submitted"]) == (EMAIL, "Valv <valv@valv.example>", "auto-generated")
    for kind in ("plain", "html"):
        part = mail.get_body((kind,))
        assert part is not None
        assert f"{URL}/confirm#token={token}" in part.get_content()
    assert token not in mail["Message-ID"] + mail["Subject"]


async def test_a_sent_mail_is_recorded_as_the_recipients(world: World) -> None:
    account = await world.sign_up()
    await world.courier.step()
    event = (await world.events())[-1]
    assert (event.action, event.subject, event.outcome) == ("auth.mail.send", account, event_pb2.OUTCOME_SUCCESS)
    assert (event.actor.kind, event.actor.id) == (event_pb2.Actor.KIND_SERVICE, "auth")


async def test_a_mail_is_tried_again_after_growing_pauses_with_another_token(world: World) -> None:
    await world.sign_up()
    world.server.refusal = Undelivered(for_good=False)
    for pause in PAUSES:
        assert await world.courier.step()
        assert not await world.courier.step()
        world.clock.advance(pause.total_seconds() - 0.001)
        assert not await world.courier.step()
        world.clock.advance(0.001)
    world.server.refusal = None
    await world.confirm(await world.mailed_token())
    assert sum(PAUSES, timedelta()) > timedelta(hours=23)


async def test_after_a_day_it_is_given_up_and_that_is_recorded(world: World) -> None:
    account = await world.sign_up()
    world.server.refusal = Undelivered(for_good=False)
    for _ in range(len(PAUSES) + 1):
        assert await world.courier.step()
        world.clock.advance(30000)
    assert not await world.courier.step()
    event = (await world.events())[-1]
    assert (event.subject, event.outcome, event.reason) == (account, event_pb2.OUTCOME_FAILED, "MAIL_GIVEN_UP")
    assert world.failures[-1] == "a mail was given up"


async def test_a_recipient_refused_for_good_is_not_tried_again(world: World) -> None:
    await world.sign_up()
    world.server.refusal = Undelivered(for_good=True)
    await world.courier.step()
    world.clock.advance(86400)
    assert not await world.courier.step()


async def test_a_mail_that_cannot_be_written_is_given_up_and_stops_no_other(world: World) -> None:
    account = await world.sign_up()
    async with world.units.write() as store:
        await store.mail.add(Outgoing(world.ids.new("mai"), account, "of-another-version", "", world.clock.now()))
    assert await world.courier.step()
    assert not await world.courier.step()
    assert len(world.server.taken) == 1
    assert world.failures == ["a mail was given up"]


async def test_a_mail_taken_by_a_process_that_died_is_delivered_by_another(world: World) -> None:
    await world.sign_up()
    async with world.units.write() as store:
        now = world.clock.now()
        assert len(await store.mail.claim(now, now + timedelta(seconds=90), 8)) == 1
    assert not await world.courier.step()
    world.clock.advance(90)
    assert await world.courier.step()
    assert len(world.server.taken) == 1


async def test_no_confirmation_is_sent_once_the_account_is_confirmed(world: World) -> None:
    await world.member()
    world.server.taken.clear()
    async with world.units.write() as store:
        account = await store.accounts.credentials(EMAIL)
        assert account is not None
    await world.courier.step()
    assert world.server.taken == []
