"""Owns the records of what auth does by itself: mails, superseded sessions, links. They commit with that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from valv.audit.v1 import event_pb2

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.kit.outbox import Outbox

MAIL_SEND = "auth.mail.send"
SESSION_SUPERSEDED = "auth.session.supersede"
GIVEN_UP = "MAIL_GIVEN_UP"
LINK_REVOKE = "auth.link.revoke"
LINK_GIVEN_UP = "LINK_REVOCATION_GIVEN_UP"


class OutboxLedger:
    """Writes to the outbox, in a transaction."""

    def __init__(self, connection: AsyncConnection, outbox: Outbox) -> None:
        """Take the transaction and the outbox."""
        self._connection, self._outbox = connection, outbox

    async def mail(self, account_id: str, mail_id: str, template: str, *, sent: bool) -> None:
        """Record that a mail went out, or was given up."""
        event = self._event(MAIL_SEND)
        event.subject = account_id
        event.object.CopyFrom(event_pb2.Object(kind="mail", id=mail_id))
        event.details.version = template
        if not sent:
            event.outcome, event.reason = event_pb2.OUTCOME_FAILED, GIVEN_UP
        await self._outbox.add(self._connection, event)

    async def superseded(self, account_id: str, session_id: str) -> None:
        """Record that a session ended because its bearer signed in anew, be it to another account."""
        event = self._event(SESSION_SUPERSEDED)
        event.subject = account_id
        event.object.CopyFrom(event_pb2.Object(kind="ses", id=session_id))
        await self._outbox.add(self._connection, event)

    async def link_revocation(self, account_id: str, link_id: str, provider: str, *, done: bool) -> None:
        """Record that a token was revoked at a third party, or that this was given up."""
        event = self._event(LINK_REVOKE)
        event.subject = account_id
        event.object.CopyFrom(event_pb2.Object(kind="lnk", id=link_id))
        event.details.provider = provider
        if not done:
            event.outcome, event.reason = event_pb2.OUTCOME_FAILED, LINK_GIVEN_UP
        await self._outbox.add(self._connection, event)

    async def erasure(self, account_id: str, step: str) -> None:
        """Record that an erasure began or ended."""
        event = self._event(f"auth.erasure.{step}")
        event.subject = account_id
        event.object.CopyFrom(event_pb2.Object(kind="account", id=account_id))
        await self._outbox.add(self._connection, event)

    def _event(self, action: str) -> event_pb2.Event:
        event = self._outbox.event(action)
        event.actor.CopyFrom(event_pb2.Actor(kind=event_pb2.Actor.KIND_SERVICE, id="auth"))
        return event
