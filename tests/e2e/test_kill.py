"""kill -9 any process and start it again: nothing that was acknowledged is lost, and nothing else stops for good."""

from __future__ import annotations

import os

import pytest

from tests.support.live import Live
from tests.support.person import Person, eventually, newcomer
from tests.support.shopping import Shopper, add_card

CONTENT = os.urandom(100_000)


def _answers(person: Person, path: str) -> bool | None:
    return True if person.http.get(path).status_code == 200 else None


@pytest.mark.parametrize("victim", ["auth", "files", "billing", "audit", "gateway", "envoy", "psp", "shop", "mail"])
def test_nothing_acknowledged_is_lost(live: Live, victim: str) -> None:
    person = newcomer(live)
    stored = person.upload("kept", CONTENT)
    add_card(person)
    Shopper(person).buy()
    live.kill(victim)
    live.start_one(victim)
    for path in ("/v1/session", "/v1/files", "/v1/cards", "/v1/charges", "/v1/activity"):
        eventually(lambda at=path: _answers(person, at), 30)  # type: ignore[misc]  # mypy infers no type for a lambda with defaults, or for an unpacked mapping
    assert person.http.get(f"/v1/files/{stored['fileId']}/content").content == CONTENT
    assert person.get("/v1/charges")["charges"][0]["state"] == "STATE_SUCCEEDED"
    wanted = {"auth.session.open", "files.file.upload", "billing.card.create", "billing.charge.create"}
    eventually(lambda: wanted <= {one["event"]["action"] for one in person.activities()} or None, 30)


def test_audit_may_be_away(live: Live) -> None:
    person = newcomer(live)
    live.kill("audit")
    stored = person.upload("while audit was away", CONTENT)
    assert person.http.get(f"/v1/files/{stored['fileId']}/content").content == CONTENT
    live.start_one("audit")
    eventually(lambda: _seen(person, stored["fileId"]), 40)


def _seen(person: Person, file: str) -> bool | None:
    reply = person.http.get("/v1/activity", params={"pageSize": 200})
    if reply.status_code != 200:
        return None
    seen = [
        one["event"]["action"] for one in reply.json()["activities"] if one["event"].get("object", {}).get("id") == file
    ]
    return True if {"files.file.upload", "files.file.download"} <= set(seen) else None
