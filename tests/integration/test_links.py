"""Links to third parties as their customers and their users know them: real servers, over TLS, nothing faked."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pyotp
import pytest

from services.auth.links.providers import OidcConfig
from tests.integration.auth_stage import refusal
from tests.integration.links_stage import (
    CALLBACK,
    SECRET,
    Person,
    certificates_of_another,
    events,
    oidc,
    password_grant,
    person,
    rows,
    serving,
    until,
    use,
    words,
)
from tests.support.authenticator import Authenticator
from tests.support.authenticator_app import shown
from tests.support.canaries import in_files
from tests.support.third_parties import oauth
from tests.support.third_parties.serving import ThirdParty
from valv.audit.v1 import event_pb2
from valv.auth.v1 import account_data_pb2, account_data_pb2_grpc, factor_pb2, factor_pb2_grpc, link_pb2

WRONG = "not the password"
NO = grpc.StatusCode.FAILED_PRECONDITION


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Auth's folder, and beside it those of third parties."""
    (tmp_path / "auth").mkdir()
    return tmp_path


@pytest.fixture
def server(home: Path) -> Iterator[ThirdParty]:
    """An OAuth server."""
    party = oauth.start(home / "oauth", SECRET.text, CALLBACK)
    yield party
    party.stop()


@pytest.mark.clause("P10", "P6", "ASVS 16.2.5")
async def test_a_password_becomes_a_token_that_works_until_the_link_ends(home: Path, server: ThirdParty) -> None:
    async with serving(home, password_grant(server)) as (stage, mailbox), person(stage, mailbox) as anna:
        listed = await anna.ask("ListProviders")
        assert [(one.provider, one.flow) for one in listed.providers] == [("grant", link_pb2.LINK_FLOW_PASSWORD)]
        link_id, address = await anna.consented("grant", "sv")
        assert not address
        assert server.requests() == []
        reply = await anna.connect(link_id)
        assert (reply.link.account_there, reply.link.kept) == ("anna", link_pb2.LINK_KEPT_TOKEN)
        assert server.requests() == ["POST /o/token/"]
        account = await anna.account()
        given = await use(stage, account, "grant")
        assert given.scheme == "Bearer"
        assert oauth.works(server, given.token)
        (kept,) = (await anna.ask("ListLinks")).links
        assert (kept.link_id, kept.purpose.locale, list(kept.purpose.roles)) == (link_id, "sv", ["shop"])
        ended = await anna.ask("Unlink", link_id=link_id)
        assert ended.revocation == link_pb2.LINK_REVOCATION_DONE
        assert not oauth.works(server, given.token)
        assert await refusal(lambda: use(stage, account, "grant")) == (grpc.StatusCode.NOT_FOUND, "LINK_NOT_FOUND")
        assert rows(stage, "SELECT * FROM links") == rows(stage, "SELECT * FROM link_revocations") == []
        trail = ("begin", "consent", "attempt", "connect", "use", "unlink", "revoke")
        told = [events(stage, f"auth.link.{action}")[0] for action in trail]
        assert [event.outcome for event in told] == [event_pb2.OUTCOME_SUCCESS] * len(trail)
        assert {event.subject for event in told} == {account}
        assert {event.details.provider for event in told} == {"grant"}
        assert (told[1].details.version, told[1].details.digest) == (kept.purpose.version, kept.purpose.digest)
        assert (told[4].actor.id, told[4].details.purpose) == ("shop", "invoices")
        await stage.stop()
        assert in_files(stage.folder, [SECRET]) == set()


@pytest.mark.clause("P10")
async def test_an_export_holds_links_and_factors_and_nothing_that_opens_them(home: Path, server: ThirdParty) -> None:
    async with serving(home, password_grant(server)) as (stage, mailbox), person(stage, mailbox) as anna:
        link_id, _ = await anna.consented("grant")
        await anna.connect(link_id)
        metadata = anna.browser.with_((await anna.browser.renew(anna.token)).assertion)
        factors: Any = factor_pb2_grpc.FactorServiceStub(anna.envoy)
        begun = await factors.BeginTotp(factor_pb2.BeginTotpRequest(), metadata=metadata, timeout=20)
        code = factor_pb2.ConfirmTotpRequest(code=shown(pyotp.TOTP(begun.secret)))
        codes = (await factors.ConfirmTotp(code, metadata=metadata, timeout=20)).recovery_codes
        asked = await factors.BeginPasskey(factor_pb2.BeginPasskeyRequest(), metadata=metadata, timeout=20)
        made = Authenticator("https://localhost:8443").create(asked.options_json)
        passkey = factor_pb2.ConfirmPasskeyRequest(credential_json=made, display_name="Åsas nyckel")
        kept = (await factors.ConfirmPasskey(passkey, metadata=metadata, timeout=20)).passkey
        data: Any = account_data_pb2_grpc.AccountDataServiceStub(anna.envoy)
        request = account_data_pb2.ExportAccountRequest()
        export = await data.ExportAccount(request, metadata=metadata, timeout=20)
        (link,) = export.links
        assert (link.link_id, link.provider, link.version) == (link_id, "grant", "2026-11")
        assert link.consent_time.ToDatetime() <= link.connect_time.ToDatetime()
        told = [(one.kind, one.factor_id, one.display_name, one.left) for one in export.factors]
        assert told == [("pop", kept.passkey_id, "Åsas nyckel", 0), ("otp", "", "", 0), ("rc", "", "", 10)]
        assert [one.HasField("create_time") for one in export.factors] == [True, True, False]
        given = await use(stage, await anna.account(), "grant")
        for secret in (begun.secret, *codes, given.token, SECRET.text, json.loads(made)["id"]):
            assert secret not in str(export)


async def test_the_digest_is_of_the_words_that_are_shown(home: Path, server: ThirdParty) -> None:
    async with serving(home, password_grant(server)) as (stage, mailbox), person(stage, mailbox) as anna:
        shown = (await anna.ask("BeginLink", provider="grant", locale="sv")).purpose
        lines = ("grant", "invoices", "2026-11", "sv", "shop", shown.used_for, shown.kept, shown.kept_for)
        assert shown.used_for == "Vi läser dina fakturor."
        assert shown.digest == hashlib.sha256("\n".join(lines).encode()).hexdigest()
        unknown = await refusal(lambda: anna.ask("BeginLink", provider="grant", locale="tlh"))
        assert unknown == (grpc.StatusCode.INVALID_ARGUMENT, "LOCALE_NOT_SUPPORTED")
        nobody = await refusal(lambda: anna.ask("BeginLink", provider="nobody"))
        assert nobody == (grpc.StatusCode.NOT_FOUND, "LINK_PROVIDER_NOT_FOUND")


@pytest.mark.clause("P10")
async def test_a_wrong_password_is_tried_once_and_leaves_nothing(home: Path, server: ThirdParty) -> None:
    async with serving(home, password_grant(server)) as (stage, mailbox), person(stage, mailbox) as anna:
        link_id, _ = await anna.consented("grant")
        assert await refusal(lambda: anna.connect(link_id, WRONG)) == (NO, "LINK_REFUSED")
        assert server.requests() == ["POST /o/token/"]
        assert rows(stage, "SELECT connected_us, sealed, kept, held_us FROM links") == [(None, None, None, None)]
        (failed,) = events(stage, "auth.link.connect")
        assert (failed.outcome, failed.reason) == (event_pb2.OUTCOME_DENIED, "LINK_REFUSED")
        empty = await refusal(lambda: anna.connect(link_id, ""))
        assert empty == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT")
        assert server.requests() == ["POST /o/token/"], "only the person has the password: nothing can try again"
        assert (await anna.connect(link_id)).link.kept == link_pb2.LINK_KEPT_TOKEN
        assert len(server.requests()) == 2


@pytest.mark.clause("P10")
async def test_nothing_is_asked_before_consent_to_the_words_as_they_are(home: Path, server: ThirdParty) -> None:
    async with serving(home, password_grant(server)) as (stage, mailbox), person(stage, mailbox) as anna:
        begun = await anna.ask("BeginLink", provider="grant")
        assert await refusal(lambda: anna.connect(begun.link_id)) == (NO, "LINK_NOT_CONSENTED")
        for version, digest in (("2026-10", begun.purpose.digest), ("2026-11", "0" * 64), ("", "")):
            refused = await refusal(
                lambda version=version, digest=digest: anna.ask(  # type: ignore[misc]  # defaults bind what the loop has
                    "ConsentToLink", link_id=begun.link_id, version=version, digest=digest
                )
            )
            assert refused == (NO, "LINK_PURPOSE_CHANGED")
        link_id, _ = await anna.consented("grant")
        assert link_id != begun.link_id
        again = await refusal(lambda: anna.connect(begun.link_id))
        assert again == (grpc.StatusCode.NOT_FOUND, "LINK_NOT_FOUND"), "a newer attempt ends the older one"
        await stage.stop()
        stage.path.write_text(stage.path.read_text("utf-8").replace('version = "2026-11"', 'version = "2026-12"'))
        await stage.start()
        async with stage.channel("envoy") as envoy, stage.channel("gateway") as gateway:
            later = Person(type(anna.browser)(envoy, gateway), envoy, anna.token)
            assert await refusal(lambda: later.connect(link_id)) == (NO, "LINK_PURPOSE_CHANGED")
        assert server.requests() == []


@pytest.mark.clause("P10", "ASVS 8.2.2", "ASVS 10.1.1")
async def test_a_link_is_its_owners_and_its_token_that_of_whom_they_consented_to(
    home: Path, server: ThirdParty
) -> None:
    providers = password_grant(server) + oidc(server, words(roles='"billing"'))
    async with (
        serving(home, providers) as (stage, mailbox),
        person(stage, mailbox) as anna,
        person(stage, mailbox, "bo@example.com") as bo,
    ):
        link_id, _ = await anna.consented("grant")
        for stolen in ("ConsentToLink", "Unlink"):
            asked = await refusal(lambda stolen=stolen: bo.ask(stolen, link_id=link_id))  # type: ignore[misc]  # mypy infers no type for a lambda with defaults, or for an unpacked mapping
            assert asked == (grpc.StatusCode.NOT_FOUND, "LINK_NOT_FOUND")
        assert await refusal(lambda: bo.connect(link_id)) == (grpc.StatusCode.NOT_FOUND, "LINK_NOT_FOUND")
        await anna.connect(link_id)
        assert list((await bo.ask("ListLinks")).links) == []
        account, other = await anna.account(), await bo.account()
        denied = (grpc.StatusCode.PERMISSION_DENIED, "LINK_USE_NOT_CONSENTED")
        assert await refusal(lambda: use(stage, account, "grant", "marketing")) == denied
        assert await refusal(lambda: use(stage, other, "grant")) == (grpc.StatusCode.NOT_FOUND, "LINK_NOT_FOUND")
        elsewhere, address = await anna.consented("identity")
        back = await asyncio.to_thread(oauth.come_back, server, address, SECRET.text)
        await anna.ask("CompleteLink", **back)
        assert await refusal(lambda: use(stage, account, "identity")) == denied
        seen = [(event.subject, event.actor.id, event.reason) for event in events(stage, "auth.link.use")]
        assert (account, "shop", "LINK_USE_NOT_CONSENTED") in seen
        assert {link.link_id for link in (await anna.ask("ListLinks")).links} == {link_id, elsewhere}


@pytest.mark.clause("P10")
async def test_of_two_calls_with_a_password_one_reaches_the_third_party(home: Path, server: ThirdParty) -> None:
    async with serving(home, password_grant(server)) as (stage, mailbox), person(stage, mailbox) as anna:
        link_id, _ = await anna.consented("grant")
        ended = await asyncio.gather(*(anna.connect(link_id) for _ in range(4)), return_exceptions=True)
        assert sum(not isinstance(one, BaseException) for one in ended) == 1
        assert server.requests() == ["POST /o/token/"]


ASKED = {"client_id", "redirect_uri", "scope", "state", "nonce", "code_challenge", "code_challenge_method"}


@pytest.mark.clause("ASVS 10.2.3")
async def test_nothing_is_asked_for_but_the_scopes_of_the_configuration(home: Path, server: ThirdParty) -> None:
    both = oidc(server) + password_grant(server)
    async with serving(home, both) as (stage, mailbox), person(stage, mailbox) as anna:
        _, address = await anna.consented("identity")
        query = httpx.URL(address).params
        assert query["scope"] == "openid read"
        assert set(query) == ASKED | {"response_type"}
        link_id, _ = await anna.consented("grant")
        await anna.connect(link_id)
        with sqlite3.connect(server.folder / "server.db") as database:
            assert database.execute("SELECT scope FROM oauth2_provider_accesstoken").fetchall() == [("read",)]
    assert OidcConfig(server.url, server.url, server.url, server.url, "valv").scopes == ("openid",)


@pytest.mark.clause("P10", "ASVS 6.8.1", "ASVS 10.1.2", "ASVS 10.2.1", "ASVS 10.5.2")
async def test_the_way_there_and_back(home: Path, server: ThirdParty) -> None:
    async with serving(home, oidc(server)) as (stage, mailbox), person(stage, mailbox) as anna:
        link_id, address = await anna.consented("identity")
        query = httpx.URL(address).params
        assert (query["response_type"], query["code_challenge_method"], query["redirect_uri"]) == (
            "code",
            "S256",
            CALLBACK,
        )
        back = await asyncio.to_thread(oauth.come_back, server, address, SECRET.text)
        token = await anna.browser.sign_in("anna@example.com")
        elsewhere = Person(anna.browser, anna.envoy, token)
        not_valid = (grpc.StatusCode.INVALID_ARGUMENT, "LINK_STATE_NOT_VALID")
        assert await refusal(lambda: elsewhere.ask("CompleteLink", **back)) == not_valid, "another session"
        forged = {**back, "iss": "https://elsewhere.example"}
        ended = await asyncio.gather(*(anna.ask("CompleteLink", **back) for _ in range(4)), return_exceptions=True)
        (reply,) = [one for one in ended if not isinstance(one, BaseException)]
        assert (reply.link.link_id, reply.link.kept) == (link_id, link_pb2.LINK_KEPT_TOKEN)
        assert reply.link.account_there == "1", "the subject there, not a name or an address"
        assert await refusal(lambda: anna.ask("CompleteLink", **forged)) == not_valid, "used"
        assert len(server.requests("POST /o/token/")) == 1
        given = await use(stage, await anna.account(), "identity")
        assert oauth.works(server, given.token)
        assert (await anna.ask("Unlink", link_id=link_id)).revocation == link_pb2.LINK_REVOCATION_DONE
        assert not oauth.works(server, given.token)


@pytest.mark.clause("P10", "ASVS 10.2.2")
async def test_a_code_that_is_not_good_ends_the_attempt_but_not_the_consent(home: Path, server: ThirdParty) -> None:
    async with serving(home, oidc(server)) as (stage, mailbox), person(stage, mailbox) as anna:
        link_id, first = await anna.consented("identity")
        state = httpx.URL(first).params["state"]
        assert await refusal(lambda: anna.ask("CompleteLink", state=state, code="made up")) == (NO, "LINK_REFUSED")
        used = await refusal(lambda: anna.ask("CompleteLink", state=state, code="another"))
        assert used == (grpc.StatusCode.INVALID_ARGUMENT, "LINK_STATE_NOT_VALID")
        (begun,) = rows(stage, "SELECT version, connected_us FROM links")
        assert begun == ("2026-11", None)
        link_id, address = await anna.consented("identity")
        foreign = {"state": httpx.URL(address).params["state"], "code": "x", "iss": "https://elsewhere.example"}
        mixed = await refusal(lambda: anna.ask("CompleteLink", **foreign))
        assert mixed == (grpc.StatusCode.INVALID_ARGUMENT, "LINK_STATE_NOT_VALID")
        assert await refusal(lambda: anna.connect(link_id)) == (NO, "LINK_WRONG_FLOW")
        assert len(server.requests("POST /o/token/")) == 1


async def test_a_token_that_has_run_out_is_renewed_here(home: Path) -> None:
    server = oauth.start(home / "oauth", SECRET.text, CALLBACK, seconds=61)
    try:
        async with serving(home, password_grant(server)) as (stage, mailbox), person(stage, mailbox) as anna:
            link_id, _ = await anna.consented("grant")
            await anna.connect(link_id)
            account = await anna.account()
            first = await use(stage, account, "grant")
            await asyncio.sleep(2)
            given = await asyncio.gather(*(use(stage, account, "grant") for _ in range(4)))
            assert first.token not in {one.token for one in given}
            assert all(oauth.works(server, one.token) for one in given[-1:])
            assert (await anna.ask("Unlink", link_id=link_id)).revocation == link_pb2.LINK_REVOCATION_DONE
            assert not any(oauth.works(server, one.token) for one in given)
    finally:
        server.stop()


@pytest.mark.clause("P10")
async def test_a_link_the_third_party_has_ended_is_lost_and_says_so(home: Path) -> None:
    server = oauth.start(home / "oauth", SECRET.text, CALLBACK, seconds=30)
    try:
        async with serving(home, password_grant(server)) as (stage, mailbox), person(stage, mailbox) as anna:
            link_id, _ = await anna.consented("grant")
            await anna.connect(link_id)
            account = await anna.account()
            with sqlite3.connect(server.folder / "server.db") as database:
                database.execute("DELETE FROM oauth2_provider_refreshtoken")
            for _ in range(2):
                assert await refusal(lambda: use(stage, account, "grant")) == (NO, "LINK_LOST")
            assert len(server.requests("POST /o/token/")) == 2
            assert (await anna.ask("ListLinks")).links[0].kept == link_pb2.LINK_KEPT_LOST
            assert (await anna.ask("Unlink", link_id=link_id)).revocation == link_pb2.LINK_REVOCATION_NONE
    finally:
        server.stop()


@pytest.mark.clause("P10", "ASVS 12.3.2")
async def test_a_third_party_that_cannot_prove_itself_is_shown_nothing(home: Path, server: ThirdParty) -> None:
    stranger = certificates_of_another(home / "stranger")
    providers = password_grant(server).replace(str(server.ca_file), str(stranger))
    async with serving(home, providers) as (stage, mailbox), person(stage, mailbox) as anna:
        link_id, _ = await anna.consented("grant")
        untrusted = (grpc.StatusCode.UNAVAILABLE, "LINK_PROVIDER_UNTRUSTED")
        assert await refusal(lambda: anna.connect(link_id)) == untrusted
        assert server.requests() == []


@pytest.mark.clause("P10", "P6")
async def test_a_third_party_that_falls_silent_leaves_nothing_of_the_password(home: Path, server: ThirdParty) -> None:
    providers = password_grant(server).replace("[links.providers.oauth", "timeout_seconds = 2\n[links.providers.oauth")
    async with serving(home, providers) as (stage, mailbox), person(stage, mailbox) as anna:
        link_id, _ = await anna.consented("grant")
        with server.stalled():
            away = await refusal(lambda: anna.connect(link_id))
            assert away == (grpc.StatusCode.UNAVAILABLE, "LINK_PROVIDER_UNAVAILABLE")
            assert server.requests() == ["POST /o/token/"]
        assert rows(stage, "SELECT connected_us, sealed, held_us FROM links") == [(None, None, None)]
        with server.stalled():
            asking = asyncio.create_task(refusal(lambda: anna.connect(link_id)))
            await until(lambda: len(server.requests()) == 2)
            await stage.kill()
            assert (await asking)[0] == grpc.StatusCode.UNAVAILABLE
        assert in_files(stage.folder, [SECRET]) == set()
        assert len(events(stage, "auth.link.attempt")) == 2, "that it was shown is on record, whatever happened then"
        await asyncio.sleep(1)
        assert len(server.requests()) == 2


@pytest.mark.clause("P10")
async def test_what_cannot_be_revoked_now_is_forgotten_now_and_revoked_later(home: Path, server: ThirdParty) -> None:
    async with serving(home, password_grant(server)) as (stage, mailbox), person(stage, mailbox) as anna:
        link_id, _ = await anna.consented("grant")
        await anna.connect(link_id)
        given = await use(stage, await anna.account(), "grant")
        server.stop()
        assert (await anna.ask("Unlink", link_id=link_id)).revocation == link_pb2.LINK_REVOCATION_PENDING
        assert list((await anna.ask("ListLinks")).links) == []
        assert rows(stage, "SELECT attempts FROM link_revocations") == [(1,)]
        await stage.kill()
        await asyncio.to_thread(server.start, oauth.__name__)
        assert oauth.works(server, given.token)
        await stage.start()
        await until(lambda: not rows(stage, "SELECT * FROM link_revocations"))
        assert not oauth.works(server, given.token)
        (told,) = events(stage, "auth.link.revoke")
        assert (told.outcome, told.object.id) == (event_pb2.OUTCOME_SUCCESS, link_id)
