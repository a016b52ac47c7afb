"""More sign-ins at once than there are places to hash in: the edge itself refuses the excess, nobody else notices."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from services.auth.config import PasswordsConfig
from services.gateway.config import EnvoyConfig
from tests.support.live import Live
from tests.support.person import eventually, newcomer

PEOPLE = 100


@pytest.mark.clause("P9", "ASVS 15.2.2")
def test_what_comes_beyond_the_places_is_told_to_come_back_by_the_edge(live: Live) -> None:
    person = newcomer(live)
    with live.client(limits=httpx.Limits(max_connections=PEOPLE)) as client, ThreadPoolExecutor(PEOPLE) as pool:
        knocks = [pool.submit(_knock, client, number) for number in range(2 * PEOPLE)]
        seen = 0
        while not all(knock.done() for knock in knocks):
            person.get("/v1/session")
            seen += 1
        answers = [knock.result() for knock in knocks]
    assert seen
    assert {answer.status_code for answer in answers} == {401, 503}
    for answer in (each for each in answers if each.status_code == 503):
        details = {detail["@type"].rpartition(".")[2]: detail for detail in answer.json()["details"]}
        assert details["ErrorInfo"]["reason"] == "OVERLOADED"
        assert (answer.headers["retry-after"], details["RetryInfo"]["retryDelay"]) == ("1", "1s")
    refused = sum(answer.status_code == 503 for answer in answers)
    eventually(lambda: _shed(live) >= refused or None)  # by Envoy alone: none of them cost auth anything


def test_the_edge_lets_no_more_through_than_auth_has_places_for() -> None:
    assert EnvoyConfig.credential_calls <= PasswordsConfig.workers + PasswordsConfig.queue


def _knock(client: httpx.Client, number: int) -> httpx.Response:
    body = {"email": f"nobody-{number}@example.com", "password": "not the password at all"}
    return client.post("/v1/session:signIn", json=body)


def _shed(live: Live) -> int:
    """How many calls Envoy's log, which it writes once a second, says that it had no place for."""
    return (live.layout.logs / "envoy-access.log").read_text("utf-8").count('"flags":"UO"')
