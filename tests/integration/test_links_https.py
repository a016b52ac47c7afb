"""What third parties are asked over: nothing is followed, unpacked, taken without end, or waited for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.auth.links.connectors import Away
from services.auth.links.https import Https, client_context
from tests.support.third_parties import rude
from tests.support.third_parties.serving import ThirdParty

SECRET = {"authorization": "Basic c2VjcmV0"}


@pytest.fixture(scope="module")
def party(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThirdParty]:
    """A server that answers as no third party should."""
    made = rude.start(tmp_path_factory.mktemp("rude") / "party")
    yield made
    made.stop()


def https(party: ThirdParty, seconds: float = 10.0) -> Https:
    return Https(client_context(party.ca_file), seconds)


@pytest.mark.clause("P10")
async def test_a_redirect_is_an_answer_and_nothing_to_follow(party: ThirdParty) -> None:
    answer = await https(party).ask("POST", f"{party.url}/elsewhere", SECRET, b"password=secret")
    assert answer.status == 302
    assert party.requests("POST") == ["POST /elsewhere"]
    assert not [line for line in party.requests() if line.endswith("/taken")]


@pytest.mark.clause("P10")
@pytest.mark.parametrize("path", ["/packed", "/large"])
async def test_an_answer_that_is_packed_or_too_large_is_none(party: ThirdParty, path: str) -> None:
    with pytest.raises(Away) as caught:
        await https(party).ask("GET", party.url + path, SECRET)
    assert caught.value.__cause__ is caught.value.__context__ is None, "what was caught holds the request"
    assert party.requests(f"GET {path}") == [f"GET {path}"]


@pytest.mark.clause("P10")
async def test_an_answer_drop_by_drop_is_not_waited_for(party: ThirdParty) -> None:
    began = time.monotonic()
    with pytest.raises(Away):
        await https(party, 1.0).ask("GET", f"{party.url}/slow", SECRET)
    assert time.monotonic() - began < 3
    assert party.requests("GET /slow") == ["GET /slow"]


@pytest.mark.clause("P10")
async def test_the_environment_has_no_say_in_the_way(
    party: ThirdParty, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "nothing"))
    assert (await https(party).ask("GET", f"{party.url}/plain")).body == b"{}"
