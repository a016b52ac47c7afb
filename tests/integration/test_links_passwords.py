"""Links to a WebDAV and an IMAP server, which know nothing but passwords: real ones, over TLS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx
import pytest

from tests.integration.auth_stage import refusal
from tests.integration.links_stage import (
    SECRET,
    certificates_of_another,
    dav,
    mail,
    person,
    rows,
    serving,
    use,
)
from tests.support.canaries import in_files
from tests.support.third_parties import webdav
from tests.support.third_parties.imap import imap, logins
from tests.support.third_parties.serving import ThirdParty
from valv.auth.v1 import link_pb2

WRONG = "not the password"
NO = grpc.StatusCode.FAILED_PRECONDITION


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Auth's folder, and beside it those of third parties."""
    (tmp_path / "auth").mkdir()
    return tmp_path


@pytest.fixture
def cloud(home: Path) -> Iterator[ThirdParty]:
    """A WebDAV server with app passwords."""
    party = webdav.start(home / "dav", SECRET.text, "ocs")
    yield party
    party.stop()


@pytest.mark.clause("P10")
async def test_a_stolen_database_has_no_token_and_no_name(home: Path, cloud: ThirdParty) -> None:
    async with serving(home, dav(cloud, tokens=True)) as (stage, mailbox), person(stage, mailbox) as anna:
        link_id, _ = await anna.consented("files")
        await anna.connect(link_id)
        given = await use(stage, await anna.account(), "files")
        await stage.stop()
        for path in stage.folder.rglob("*"):
            content = path.read_bytes() if path.is_file() else b""
            assert given.token.encode() not in content, path
        ((sealed,),) = rows(stage, "SELECT sealed FROM links")
        assert isinstance(sealed, bytes)
        assert b"anna" not in sealed


@pytest.mark.clause("P10")
async def test_an_app_password_takes_the_place_of_the_password(home: Path, cloud: ThirdParty) -> None:
    async with serving(home, dav(cloud, tokens=True)) as (stage, mailbox), person(stage, mailbox) as anna:
        link_id, _ = await anna.consented("files")
        assert await refusal(lambda: anna.connect(link_id, WRONG)) == (NO, "LINK_REFUSED")
        await anna.connect(link_id)
        assert cloud.requests() == [f"GET {webdav.MAKE}"] * 2
        given = await use(stage, await anna.account(), "files")
        assert (given.scheme, given.username) == ("Basic", "anna")
        assert _opens(cloud, given.token)
        exists = await refusal(lambda: anna.ask("BeginLink", provider="files"))
        assert exists == (grpc.StatusCode.ALREADY_EXISTS, "LINK_EXISTS")
        assert (await anna.ask("Unlink", link_id=link_id)).revocation == link_pb2.LINK_REVOCATION_DONE
        assert not _opens(cloud, given.token)
        assert in_files(stage.folder, [SECRET]) == set()


async def test_a_server_without_tokens_is_asked_whether_the_password_is_right(home: Path, cloud: ThirdParty) -> None:
    async with serving(home, dav(cloud, tokens=False)) as (stage, mailbox), person(stage, mailbox) as anna:
        link_id, _ = await anna.consented("files")
        assert await refusal(lambda: anna.connect(link_id, WRONG)) == (NO, "LINK_REFUSED")
        reply = await anna.connect(link_id)
        assert (reply.link.kept, reply.link.account_there) == (link_pb2.LINK_KEPT_PROOF, "anna")
        assert cloud.requests() == [f"PROPFIND {webdav.ROOT}"] * 2
        account = await anna.account()
        assert await refusal(lambda: use(stage, account, "files")) == (NO, "LINK_HAS_NO_TOKEN")
        assert (await anna.ask("Unlink", link_id=link_id)).revocation == link_pb2.LINK_REVOCATION_NONE
        assert in_files(stage.folder, [SECRET]) == set()


@pytest.mark.clause("P10", "ASVS 12.3.2")
@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_a_mailbox_is_shown_to_be_somebodys_by_one_login(home: Path, security: str) -> None:
    async with (
        imap(home / "imap", SECRET.text, tls=security == "tls") as (party, _),
        serving(home, mail(party, security)) as (stage, mailbox),
        person(stage, mailbox) as anna,
    ):
        link_id, _ = await anna.consented("mail")
        assert await refusal(lambda: anna.connect(link_id, WRONG)) == (NO, "LINK_REFUSED")
        assert logins(party) == 1
        assert (await anna.connect(link_id)).link.kept == link_pb2.LINK_KEPT_PROOF
        assert logins(party) == 2
        assert in_files(stage.folder, [SECRET]) == set()


@pytest.mark.clause("P10", "ASVS 12.3.2")
@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_a_mail_server_that_cannot_prove_itself_is_shown_nothing(home: Path, security: str) -> None:
    stranger = certificates_of_another(home / "stranger")
    async with imap(home / "imap", SECRET.text, tls=security == "tls") as (party, _):
        providers = mail(party, security).replace(str(party.ca_file), str(stranger))
        async with serving(home, providers) as (stage, mailbox), person(stage, mailbox) as anna:
            link_id, _ = await anna.consented("mail")
            untrusted = (grpc.StatusCode.UNAVAILABLE, "LINK_PROVIDER_UNTRUSTED")
            assert await refusal(lambda: anna.connect(link_id)) == untrusted
            assert logins(party) == 0


@pytest.mark.clause("P10", "P6")
async def test_a_mail_server_that_falls_silent_leaves_nothing_of_the_password(home: Path) -> None:
    async with imap(home / "imap", SECRET.text, tls=True) as (party, tap):
        providers = mail(party, "tls").replace("[links.providers.imap", "timeout_seconds = 2\n[links.providers.imap")
        async with serving(home, providers) as (stage, mailbox), person(stage, mailbox) as anna:
            link_id, _ = await anna.consented("mail")
            tap.stalled = True
            away = await refusal(lambda: anna.connect(link_id))
            assert away == (grpc.StatusCode.UNAVAILABLE, "LINK_PROVIDER_UNAVAILABLE")
            assert logins(party) == 1
            tap.stalled = False
            assert (await anna.connect(link_id)).link.kept == link_pb2.LINK_KEPT_PROOF
            assert logins(party) == 2
            assert in_files(stage.folder, [SECRET]) == set()


def _opens(party: ThirdParty, password: str) -> bool:
    with party.client() as client:
        answer = client.request("PROPFIND", webdav.ROOT, headers={"depth": "0"}, auth=(webdav.USER, password))
    assert answer.status_code in (httpx.codes.MULTI_STATUS, httpx.codes.UNAUTHORIZED)
    return answer.status_code == httpx.codes.MULTI_STATUS
