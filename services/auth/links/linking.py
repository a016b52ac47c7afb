"""Owns the link flow: purpose shown, consent to exactly that, then one call to the third party, and what it gave.

A third party's password is here for one call: never before consent, never twice, in no transaction, queue, record or
error, and overwritten when the call ends, however it ends. The attempt is held, and recorded, before the third party is
asked; what comes back is kept only by the call that still holds it. Where it cannot be kept it is revoked.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from services.auth import tokens
from services.auth.errors import (
    LINK_BUSY,
    LINK_EXISTS,
    LINK_LOST,
    LINK_NOT_CONSENTED,
    LINK_NOT_FOUND,
    LINK_PROVIDER_NOT_FOUND,
    LINK_PROVIDER_UNAVAILABLE,
    LINK_PROVIDER_UNTRUSTED,
    LINK_PURPOSE_CHANGED,
    LINK_REFUSED,
    LINK_STATE_NOT_VALID,
    LINK_WRONG_FLOW,
    LOCALE_NOT_SUPPORTED,
)
from services.auth.links.connectors import Away, Busy, Refused, Untrusted
from services.auth.links.grants import Grant, Pending
from services.auth.links.store import Kept, Link, Return
from services.auth.store import StoreAway
from services.kit.faults import INVALID_ARGUMENT, OVERLOADED, UNAVAILABLE, Fault
from services.kit.secret import Secret

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from services.auth.links.connectors import Party
    from services.auth.links.grants import Vault
    from services.auth.links.purpose import Offer
    from services.auth.store import Units, Work
    from services.kit.clock import Clock
    from services.kit.ids import Ids

LIFETIME = timedelta(minutes=15)
"""How long an attempt lives."""
HOLD = timedelta(seconds=30)
"""How long a call may hold a link: longer than any may take, so that only a crash leaves one held."""
ATTEMPT = "auth.link.attempt"
_LONGEST_NAME, _LONGEST_PASSWORD, _LONGEST_CODE = 320, 1024, 2048
_PRINTABLE = 32
_DELETE = 127


class Trail(Protocol):
    """The audit record of the call."""

    def object(self, kind: str, object_id: str) -> None:
        """Say what was touched."""
        ...

    def detail(self, **values: str | int) -> None:
        """Add typed particulars."""
        ...


class Linking:
    """Makes links."""

    def __init__(
        self,
        parties: Mapping[str, Party],
        vault: Vault,
        units: Units,
        withdraw: Callable[[Link, Grant], Awaitable[None]],
        admit: Callable[[str], Awaitable[object]],
        clock: Clock,
        ids: Ids,
        entropy: Callable[[int], bytes],
    ) -> None:
        """Take the collaborators.

        Args:
            parties: The third parties, by id.
            vault: Seals what they give.
            units: Transactions.
            withdraw: Revokes a grant that could not be kept.
            admit: Counts an attempt of an account; raises when there were too many.
            clock: The clock.
            ids: Makes ids.
            entropy: The source of randomness.
        """
        self._parties, self._vault, self._units = parties, vault, units
        self._withdraw, self._admit = withdraw, admit
        self._clock, self._ids, self._entropy = clock, ids, entropy

    @property
    def parties(self) -> Mapping[str, Party]:
        """The third parties that can be linked, by id."""
        return self._parties

    async def begin(self, work: Work, trail: Trail, account_id: str, provider: str, locale: str) -> Link:
        """Begin an attempt; the third party is not asked anything.

        Raises:
            Fault: LINK_PROVIDER_NOT_FOUND, LOCALE_NOT_SUPPORTED or LINK_EXISTS.
        """
        offer = self._offer(provider, locale)
        now = self._clock.now()
        link = Link(self._ids.new("lnk"), account_id, offer, created=now, expires=now + LIFETIME)
        _tell(trail, link)
        store = await work.write()
        if any(one.offer.provider == provider for one in await store.links.connected(account_id)):
            raise Fault(LINK_EXISTS)
        await store.links.begin(link)
        return link

    async def consent(
        self, work: Work, trail: Trail, account_id: str, session_id: str, link_id: str, version: str, digest: str
    ) -> Secret | None:
        """Record consent to the text with that version and digest; return where to send the person, if anywhere.

        Raises:
            Fault: LINK_NOT_FOUND, LINK_EXISTS, LINK_BUSY, or LINK_PURPOSE_CHANGED: it is not what was shown, or not
                what would be shown now.
        """
        link, party = await self._attempt(work, trail, account_id, link_id)
        if (version, digest) != (link.offer.version, link.offer.digest):
            raise Fault(LINK_PURPOSE_CHANGED)
        self._require_current(link.offer)
        address, back, sealed = None, None, None
        if party.redirect is not None:
            state, pending = self._token(), Pending(self._token(), Secret(self._token()))
            address = Secret(party.redirect.address(state, pending))
            back = Return(session_id, tokens.digest(state))
            sealed = await self._vault.seal(account_id, link_id, link.offer.provider, pending)
        store = await work.write()
        if not await store.links.consent(link_id, self._clock.now(), back, sealed):
            raise Fault(LINK_BUSY)
        return address

    async def connect(
        self, work: Work, trail: Trail, account_id: str, link_id: str, username: str, password: Secret
    ) -> tuple[Link, Grant]:
        """Show a password to the third party, once.

        Raises:
            Fault: LINK_NOT_FOUND, LINK_EXISTS, LINK_NOT_CONSENTED, LINK_PURPOSE_CHANGED, LINK_WRONG_FLOW, LINK_BUSY or
                THROTTLED before it is shown; LINK_REFUSED, LINK_PROVIDER_UNAVAILABLE or LINK_PROVIDER_UNTRUSTED after.
        """
        try:
            _require_showable(username, password)
            link, party = await self._attempt(work, trail, account_id, link_id)
            if party.password is None:
                raise Fault(LINK_WRONG_FLOW)
            if link.consented is None:
                raise Fault(LINK_NOT_CONSENTED)
            self._require_current(link.offer)
            await self._admit(account_id)
            now = self._clock.now()
            store = await work.write()
            if not await store.links.hold(link_id, now, now + HOLD, connected=False):
                raise Fault(LINK_BUSY)
            await work.phase(ATTEMPT)
            async with self._held(link_id, now + HOLD):
                with _told():
                    async with asyncio.timeout(party.provider.timeout_seconds):
                        grant = await party.password.connect(username, password)
                password.wipe()
                return await self._keep(work, link, grant, now + HOLD), grant
        finally:
            password.wipe()

    async def complete(
        self, work: Work, trail: Trail, account_id: str, session_id: str, state: Secret, code: Secret, issuer: str
    ) -> tuple[Link, Grant]:
        """Take what a person came back with.

        Raises:
            Fault: LINK_STATE_NOT_VALID: unknown, used, of another session, or too old; LINK_PURPOSE_CHANGED, THROTTLED,
                LINK_REFUSED, LINK_PROVIDER_UNAVAILABLE, LINK_PROVIDER_UNTRUSTED or LINK_EXISTS.
        """
        if len(code.reveal()) > _LONGEST_CODE:
            raise Fault(INVALID_ARGUMENT, field="code")
        await self._admit(account_id)
        now = self._clock.now()
        store = await work.write()
        back = Return(session_id, tokens.digest(state.text()))
        link = await store.links.hold_return(account_id, back, now, now + HOLD)
        if link is None or link.sealed is None:
            raise Fault(LINK_STATE_NOT_VALID)
        _tell(trail, link)
        await work.phase(ATTEMPT)
        async with self._held(link.link_id, now + HOLD):
            party = self._require_current(link.offer)
            if party.redirect is None:
                raise Fault(LINK_WRONG_FLOW)
            if issuer and (party.provider.oidc is None or issuer != party.provider.oidc.issuer):
                raise Fault(LINK_STATE_NOT_VALID)
            pending = await self._vault.open_pending(account_id, link.link_id, link.offer.provider, link.sealed)
            with _told():
                async with asyncio.timeout(party.provider.timeout_seconds):
                    grant = await party.redirect.complete(code.text(), pending)
            return await self._keep(work, link, grant, now + HOLD), grant

    async def links(self, work: Work, account_id: str) -> Sequence[tuple[Link, Grant | None]]:
        """Return an account's links with what they hold, oldest first.

        Raises:
            Fault: UNAVAILABLE.
        """
        async with work.read() as store:
            found = await store.links.connected(account_id)
        return [(link, await self._opened(link)) for link in found]

    async def _opened(self, link: Link) -> Grant | None:
        if link.sealed is None:
            return None
        try:
            return await self._vault.open(link.account_id, link.link_id, link.offer.provider, link.sealed)
        except Fault as fault:
            if fault.reason is LINK_LOST:
                return None
            raise

    def _offer(self, provider: str, locale: str) -> Offer:
        party = self._parties.get(provider)
        if party is None:
            raise Fault(LINK_PROVIDER_NOT_FOUND, field="provider")
        try:
            return party.provider.offer(locale)
        except KeyError:
            raise Fault(LOCALE_NOT_SUPPORTED, field="locale") from None

    def _require_current(self, offer: Offer) -> Party:
        """Consent to words that would not be shown any more counts for nothing."""
        party = self._parties.get(offer.provider)
        if party is None or party.provider.offer(offer.locale).digest != offer.digest:
            raise Fault(LINK_PURPOSE_CHANGED)
        return party

    async def _attempt(self, work: Work, trail: Trail, account_id: str, link_id: str) -> tuple[Link, Party]:
        async with work.read() as store:
            link = await store.links.get(account_id, link_id)
        if link is None:
            raise Fault(LINK_NOT_FOUND)
        _tell(trail, link)
        if link.expires is None:
            raise Fault(LINK_EXISTS)
        party = self._parties.get(link.offer.provider)
        if party is None or link.expires <= self._clock.now():
            raise Fault(LINK_NOT_FOUND)
        return link, party

    async def _keep(self, work: Work, link: Link, grant: Grant, until: datetime) -> Link:
        """Keep a grant, with the record of it; one that cannot be kept is revoked."""
        kept = Kept.PROOF if grant.token is None else Kept.TOKEN
        now = self._clock.now()
        try:
            sealed = await self._vault.seal(link.account_id, link.link_id, link.offer.provider, grant)
            store = await work.write()
            if not await store.links.keep(link.link_id, until, now, kept, sealed):
                raise Fault(LINK_BUSY)  # noqa: TRY301 - what could not be kept is revoked below, whatever the reason
            await work.commit()
        except Exception:
            await self._withdraw(link, grant)
            raise
        return Link(
            link_id=link.link_id,
            account_id=link.account_id,
            offer=link.offer,
            created=link.created,
            expires=None,
            consented=link.consented,
            connected=now,
            kept=kept,
        )

    @asynccontextmanager
    async def _held(self, link_id: str, until: datetime) -> AsyncIterator[None]:
        """Let go of an attempt that failed; when that cannot be written, its time runs out."""
        try:
            yield
        except Fault:
            try:
                async with self._units.write() as store:
                    await store.links.release(link_id, until)
            except StoreAway:
                raise Fault(UNAVAILABLE, retry_after=1) from None
            raise

    def _token(self) -> str:
        return tokens.mint("", self._entropy)


@contextmanager
def _told() -> Iterator[None]:
    """Turn what went wrong at a third party into what the customer is told."""
    try:
        yield
    except Refused:
        raise Fault(LINK_REFUSED) from None
    except (Away, TimeoutError):
        raise Fault(LINK_PROVIDER_UNAVAILABLE) from None
    except Untrusted:
        raise Fault(LINK_PROVIDER_UNTRUSTED) from None
    except Busy:
        raise Fault(OVERLOADED, retry_after=1) from None


def _require_showable(username: str, password: Secret) -> None:
    if not 0 < len(username) <= _LONGEST_NAME or not username.isprintable() or ":" in username:
        raise Fault(INVALID_ARGUMENT, field="username")
    shown = password.reveal()
    if len(shown) > _LONGEST_PASSWORD or any(byte < _PRINTABLE or byte == _DELETE for byte in shown):
        raise Fault(INVALID_ARGUMENT, field="password")


def _tell(trail: Trail, link: Link) -> None:
    offer = link.offer
    trail.object("lnk", link.link_id)
    trail.detail(provider=offer.provider, purpose=offer.purpose, version=offer.version, digest=offer.digest)
