"""Owns the mapping between the contracts of links and their domain. Must never decide, nor keep a secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.duration_pb2 import Duration

from services.auth import wire
from services.auth.errors import LINK_NOT_FOUND
from services.auth.links.providers import Flow
from services.auth.links.store import Kept
from services.auth.links.unlinking import Outcome
from services.kit import ids
from services.kit.faults import INVALID_ARGUMENT, Fault
from valv.auth.v1 import link_pb2

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.auth.links.grants import Grant
    from services.auth.links.linking import Linking
    from services.auth.links.purpose import Offer
    from services.auth.links.store import Link
    from services.auth.links.unlinking import Unlinking
    from services.auth.links.use import Use
    from services.auth.store import Work
    from services.kit.call import Call
    from services.kit.clock import Clock

_DEFAULT_LOCALE = "en"
_FLOWS = {Flow.PASSWORD: link_pb2.LINK_FLOW_PASSWORD, Flow.REDIRECT: link_pb2.LINK_FLOW_REDIRECT}
_KEPT = {
    Kept.TOKEN: link_pb2.LINK_KEPT_TOKEN,
    Kept.PROOF: link_pb2.LINK_KEPT_PROOF,
    Kept.LOST: link_pb2.LINK_KEPT_LOST,
}
_REVOCATIONS = {
    Outcome.DONE: link_pb2.LINK_REVOCATION_DONE,
    Outcome.PENDING: link_pb2.LINK_REVOCATION_PENDING,
    Outcome.NONE: link_pb2.LINK_REVOCATION_NONE,
}


class LinkHandlers:
    """Serves ``valv.auth.v1.LinkService``."""

    def __init__(self, linking: Linking, unlinking: Unlinking, work: Callable[[Call], Work]) -> None:
        """Take the domain."""
        self._linking, self._unlinking, self._work = linking, unlinking, work

    async def list_providers(
        self, _request: link_pb2.ListProvidersRequest, _call: Call
    ) -> link_pb2.ListProvidersResponse:
        """List the third parties."""
        return link_pb2.ListProvidersResponse(
            providers=[
                link_pb2.LinkProvider(
                    provider=party.provider.id, display_name=party.provider.name, flow=_FLOWS[party.provider.flow]
                )
                for party in self._linking.parties.values()
            ]
        )

    async def list_links(self, _request: link_pb2.ListLinksRequest, call: Call) -> link_pb2.ListLinksResponse:
        """List the caller's links."""
        call.reply_metadata.append(wire.NO_STORE)
        found = await self._linking.links(self._work(call), call.customer)
        return link_pb2.ListLinksResponse(links=[self._message(link, grant) for link, grant in found])

    async def begin_link(self, request: link_pb2.BeginLinkRequest, call: Call) -> link_pb2.BeginLinkResponse:
        """Begin an attempt."""
        locale = request.locale or _DEFAULT_LOCALE
        link = await self._linking.begin(self._work(call), call.record, call.customer, request.provider, locale)
        flow = _FLOWS[self._linking.parties[link.offer.provider].provider.flow]
        reply = link_pb2.BeginLinkResponse(link_id=link.link_id, purpose=_purpose(link.offer), flow=flow)
        if link.expires is not None:
            reply.ends.CopyFrom(wire.timestamp(link.expires))
        return reply

    async def consent_to_link(
        self, request: link_pb2.ConsentToLinkRequest, call: Call
    ) -> link_pb2.ConsentToLinkResponse:
        """Record consent."""
        call.reply_metadata.append(wire.NO_STORE)
        address = await self._linking.consent(
            self._work(call),
            call.record,
            call.customer,
            call.session,
            _link_id(request.link_id),
            request.version,
            request.digest,
        )
        return link_pb2.ConsentToLinkResponse(authorization_url="" if address is None else address.text())

    async def connect_link(self, request: link_pb2.ConnectLinkRequest, call: Call) -> link_pb2.ConnectLinkResponse:
        """Show a password to the third party, once."""
        call.reply_metadata.append(wire.NO_STORE)
        password = wire.secret(request.password, "password")
        request.ClearField("password")
        try:
            link, grant = await self._linking.connect(
                self._work(call), call.record, call.customer, _link_id(request.link_id), request.username, password
            )
        finally:
            password.wipe()
        return link_pb2.ConnectLinkResponse(link=self._message(link, grant))

    async def complete_link(self, request: link_pb2.CompleteLinkRequest, call: Call) -> link_pb2.CompleteLinkResponse:
        """Take what a person came back with."""
        call.reply_metadata.append(wire.NO_STORE)
        state, code = wire.secret(request.state, "state"), wire.secret(request.code, "code")
        link, grant = await self._linking.complete(
            self._work(call), call.record, call.customer, call.session, state, code, request.iss
        )
        return link_pb2.CompleteLinkResponse(link=self._message(link, grant))

    async def unlink(self, request: link_pb2.UnlinkRequest, call: Call) -> link_pb2.UnlinkResponse:
        """End a link."""
        outcome = await self._unlinking.unlink(self._work(call), call.record, call.customer, _link_id(request.link_id))
        return link_pb2.UnlinkResponse(revocation=_REVOCATIONS[outcome])

    def _message(self, link: Link, grant: Grant | None) -> link_pb2.Link:
        party = self._linking.parties.get(link.offer.provider)
        lost = grant is None or link.kept is None
        message = link_pb2.Link(
            link_id=link.link_id,
            provider=link.offer.provider,
            display_name=link.offer.provider if party is None else party.provider.name,
            account_there="" if grant is None else grant.subject,
            purpose=_purpose(link.offer),
            kept=link_pb2.LINK_KEPT_LOST if lost or link.kept is None else _KEPT[link.kept],
        )
        if link.connected is not None:
            message.connected.CopyFrom(wire.timestamp(link.connected))
        return message


class LinkTokenHandlers:
    """Serves ``valv.auth.v1.LinkTokenService``."""

    def __init__(self, use: Use, work: Callable[[Call], Work], clock: Clock) -> None:
        """Take the domain."""
        self._use, self._work, self._clock = use, work, clock

    async def get_token(self, request: link_pb2.GetTokenRequest, call: Call) -> link_pb2.GetTokenResponse:
        """Give a token to a service."""
        try:
            account_id = ids.check("usr", request.account_id)
        except ValueError:
            raise Fault(INVALID_ARGUMENT, field="account_id") from None
        grant = await self._use.token(
            self._work(call), call.record, call.peer.role, account_id, request.provider, request.purpose
        )
        reply = link_pb2.GetTokenResponse(scheme=grant.scheme)
        if grant.token is not None:
            reply.token = grant.token.text()
        if grant.scheme == "Basic":
            reply.username = grant.subject
        if grant.expires is not None:
            lifetime = Duration()
            lifetime.FromTimedelta(grant.expires - self._clock.now())
            reply.lifetime.CopyFrom(lifetime)
        return reply


def _link_id(text: str) -> str:
    """Return an id that can stand in a record."""
    try:
        return ids.check("lnk", text)
    except ValueError:
        raise Fault(LINK_NOT_FOUND, field="link_id") from None


def _purpose(offer: Offer) -> link_pb2.LinkPurpose:
    return link_pb2.LinkPurpose(
        version=offer.version,
        digest=offer.digest,
        purpose=offer.purpose,
        locale=offer.locale,
        used_for=offer.text.used_for,
        kept=offer.text.kept,
        kept_for=offer.text.kept_for,
        roles=offer.roles,
    )
