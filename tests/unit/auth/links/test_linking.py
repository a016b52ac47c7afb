"""The link flow over a real store, beside third parties that do as they are told."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from services.auth.errors import (
    LINK_EXISTS,
    LINK_NOT_CONSENTED,
    LINK_NOT_FOUND,
    LINK_PROVIDER_UNAVAILABLE,
    LINK_REFUSED,
    THROTTLED,
)
from services.auth.links.assembly import Links, Surroundings, assemble
from services.auth.links.connectors import Away, Party, Refused
from services.auth.links.grants import Grant, Vault
from services.auth.links.linking import LIFETIME, Linking
from services.auth.links.providers import ImapConfig, LinksConfig, PasswordGrantConfig, Provider
from services.auth.links.purpose import Purpose, PurposeText
from services.auth.links.unlinking import KEPT, Outcome, Unlinking
from services.auth.links.use import Use
from services.kit.faults import INVALID_ARGUMENT, Fault, Reason
from services.kit.keyring import Keyring
from services.kit.secret import Secret
from tests.unit.auth.world import URL, World
from valv.audit.v1 import event_pb2

TEXT = PurposeText("for this", "that", "until you end it")
PURPOSE = Purpose("invoices", "1", {"en": TEXT, "sv": TEXT})
GRANT = PasswordGrantConfig("https://id.example/token", "valv")
PROVIDER = Provider("grant", "A third party", ("shop",), PURPOSE, oauth2_password=GRANT)


@dataclass
class There:
    """A third party."""

    seen: list[Secret] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    revoked: list[str] = field(default_factory=list)
    mood: Exception | None = None

    async def connect(self, username: str, password: Secret) -> Grant:
        self.seen.append(password)
        self.shown.append(password.text())
        if self.mood is not None:
            raise self.mood
        return Grant(username, token=Secret(f"token {len(self.seen)}"), scheme="Bearer")

    async def renew(self, grant: Grant) -> Grant:
        raise NotImplementedError  # nothing here renews

    async def revoke(self, grant: Grant) -> None:
        if self.mood is not None:
            raise self.mood
        assert grant.token is not None
        self.revoked.append(grant.token.text())


class Trail:
    """The record of a call."""

    def __init__(self) -> None:
        self.subject = ""
        self.told: dict[str, str | int] = {}

    def object(self, kind: str, object_id: str) -> None:
        self.told |= {kind: object_id}

    def detail(self, **values: str | int) -> None:
        self.told |= values


class Desk:
    """Links, wired as in the assembly, with a third party of the test's own."""

    def __init__(self, world: World) -> None:
        self.world, self.there, self.failures = world, There(), list[str]()
        self.account = world.ids.new("usr")
        given = Surroundings(
            units=world.units,
            keys=world.keys,
            throttle=world.throttle,
            clock=world.clock,
            ids=world.ids,
            entropy=world.random.randbytes,
            failed=self.failures.append,
        )
        self.links = self.with_party(assemble(LinksConfig((PROVIDER,)), URL, given), world.keys)

    def with_party(self, made: Links, keys: Keyring) -> Links:
        """Put the test's own third party in the place of the one that is reached over the network."""
        parties = {"grant": Party(PROVIDER, password=self.there, tokens=self.there, revokes=True)}
        world, vault, ids = self.world, Vault(keys), self.world.ids
        unlinking = Unlinking(parties, vault, world.units, world.clock, ids, self.failures.append)
        admit, entropy = made.linking._admit, world.random.randbytes
        linking = Linking(parties, vault, world.units, unlinking.withdraw, admit, world.clock, ids, entropy)
        return Links(linking, unlinking, Use(parties, vault, world.units, unlinking.withdraw, world.clock))

    async def begin(self, *, consent: bool = True) -> str:
        async with self.world.work() as work:
            link = await self.links.linking.begin(work, Trail(), self.account, "grant", "sv")
        if consent:
            async with self.world.work() as work:
                shown = (link.offer.version, link.offer.digest)
                await self.links.linking.consent(work, Trail(), self.account, "ses_1", link.link_id, *shown)
        return link.link_id

    async def connect(self, link_id: str, password: str = "open it", username: str = "anna") -> Reason | None:
        secret = Secret(password)
        try:
            async with self.world.work() as work:
                await self.links.linking.connect(work, Trail(), self.account, link_id, username, secret)
        except Fault as fault:
            return fault.reason
        finally:
            assert not secret.matches(password.encode()), "wiped, however it ended"
        return None

    async def unlink(self, link_id: str) -> Outcome:
        async with self.world.work() as work:
            return await self.links.unlinking.unlink(work, Trail(), self.account, link_id)

    async def told(self, action: str) -> list[event_pb2.Event]:
        return [event for event in await self.world.events() if event.action == action]


@pytest.fixture
def desk(world: World) -> Desk:
    """A desk."""
    return Desk(world)


@pytest.mark.clause("P10")
@pytest.mark.parametrize("mood", [None, Refused(), Away()], ids=lambda mood: type(mood).__name__)
async def test_a_password_is_gone_when_the_call_ends(desk: Desk, mood: Exception | None) -> None:
    link_id = await desk.begin()
    desk.there.mood = mood
    reasons = {Refused: LINK_REFUSED, Away: LINK_PROVIDER_UNAVAILABLE}
    assert await desk.connect(link_id) == (None if mood is None else reasons[type(mood)])
    assert desk.there.shown == ["open it"]
    assert not desk.there.seen[0].matches(b"open it")


@pytest.mark.clause("P10")
async def test_it_is_gone_too_when_it_was_never_shown(desk: Desk) -> None:
    link_id = await desk.begin(consent=False)
    assert await desk.connect(link_id) is LINK_NOT_CONSENTED
    assert await desk.connect("lnk_of_nobody") is LINK_NOT_FOUND
    assert await desk.connect(link_id, "line\nbreak") is INVALID_ARGUMENT
    assert await desk.connect(link_id, "nul\0") is INVALID_ARGUMENT
    assert await desk.connect(link_id, "p" * 1025) is INVALID_ARGUMENT
    assert await desk.connect(link_id, username="a:b") is INVALID_ARGUMENT
    assert await desk.connect(link_id, username="") is INVALID_ARGUMENT
    assert desk.there.shown == []


@pytest.mark.clause("P10")
async def test_an_attempt_ends_after_fifteen_minutes(desk: Desk) -> None:
    link_id = await desk.begin()
    desk.world.clock.advance(LIFETIME.total_seconds() - 0.000001)
    desk.there.mood = Refused()
    assert await desk.connect(link_id) is LINK_REFUSED
    desk.world.clock.advance(0.000001)
    assert await desk.connect(link_id) is LINK_NOT_FOUND
    assert len(desk.there.shown) == 1


@pytest.mark.clause("P10", "ASVS 2.4.1")
async def test_valv_is_no_place_to_guess_a_third_partys_passwords(desk: Desk) -> None:
    link_id = await desk.begin()
    desk.there.mood = Refused()
    reasons = [await desk.connect(link_id) for _ in range(12)]
    assert reasons == [LINK_REFUSED] * 10 + [THROTTLED] * 2
    assert len(desk.there.shown) == 10


@pytest.mark.clause("P10")
async def test_a_token_that_cannot_be_kept_is_revoked(desk: Desk) -> None:
    link_id = await desk.begin()

    async def meanwhile(username: str, password: Secret) -> Grant:
        assert await desk.unlink(link_id) is Outcome.NONE
        return Grant(username, token=Secret("an orphan"), scheme="Bearer")

    desk.there.connect = meanwhile  # type: ignore[method-assign]  # the test puts its own in its place
    assert await desk.connect(link_id) is not None
    assert desk.there.revoked == ["an orphan"]
    async with desk.world.units.read() as store:
        assert await store.links.connected(desk.account) == []
        assert not await store.unlinked.is_due(desk.world.clock.now() + KEPT)


@pytest.mark.clause("P10")
async def test_a_revocation_is_tried_for_seven_days_and_given_up_on_record(desk: Desk) -> None:
    link_id = await desk.begin()
    assert await desk.connect(link_id) is None
    desk.there.mood = Away()
    assert await desk.unlink(link_id) is Outcome.PENDING
    for _ in range(200):
        desk.world.clock.advance(3600)
        await desk.links.unlinking.step()
    assert not desk.there.revoked
    (told,) = await desk.told("auth.link.revoke")
    assert (told.outcome, told.reason, told.subject) == (
        event_pb2.OUTCOME_FAILED,
        "LINK_REVOCATION_GIVEN_UP",
        desk.account,
    )
    async with desk.world.units.read() as store:
        assert not await store.unlinked.is_due(desk.world.clock.now() + KEPT)


@pytest.mark.clause("P10")
async def test_all_links_of_an_account_can_be_ended_at_once(desk: Desk) -> None:
    assert await desk.connect(await desk.begin()) is None
    async with desk.world.work() as work:
        assert await desk.links.unlinking.unlink_all(work, desk.account) == 1
        await work.commit()
    async with desk.world.units.read() as store:
        assert await store.links.connected(desk.account) == []
    await desk.world.keys.destroy(desk.account)
    desk.world.clock.advance(timedelta(minutes=1).total_seconds())
    assert await desk.links.unlinking.step()
    assert desk.there.revoked == ["token 1"], "what waits to be revoked outlives the account's key"


async def test_one_link_with_a_third_party_at_a_time(desk: Desk) -> None:
    link_id = await desk.begin()
    assert await desk.connect(link_id) is None
    assert await desk.connect(link_id) is LINK_EXISTS
    with pytest.raises(Fault, match="LINK_EXISTS"):
        await desk.begin()
    assert await desk.unlink(link_id) is Outcome.DONE
    assert desk.there.revoked == ["token 1"]
    assert await desk.connect(await desk.begin()) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"token_endpoint": "http://id.example/token"},
        {"token_endpoint": "https://anna@id.example/token"},
        {"revocation_endpoint": "ldap://id.example/"},
    ],
)
def test_a_third_party_is_reached_by_https_only(changes: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="https"):
        PasswordGrantConfig(**{"token_endpoint": "https://id.example/token", "client_id": "valv", **changes})  # type: ignore[arg-type]  # the test hands over what types forbid, or a stand-in
    with pytest.raises(ValueError, match="one of"):
        Provider("grant", "Two kinds", ("shop",), PURPOSE, oauth2_password=GRANT, imap=ImapConfig("mail.example"))
