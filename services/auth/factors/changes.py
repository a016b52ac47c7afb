"""Owns what follows every change of what an account signs in with: other sessions end, and the owner is told.

Both are part of the change's own transaction (ASVS 5.0 6.3.7, 7.4.3; NIST 800-63B-4 section 4.6). The mail is queued: a
mail server that is away delays it and stops nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.auth.mail import Outgoing

if TYPE_CHECKING:
    from services.auth.sessions import Sessions
    from services.auth.store import MailStore, Store
    from services.kit.clock import Clock
    from services.kit.ids import Ids


class Changes:
    """Tells the owner, and ends what was begun before the change."""

    def __init__(self, sessions: Sessions, clock: Clock, ids: Ids) -> None:
        """Take the collaborators."""
        self._sessions, self._clock, self._ids = sessions, clock, ids

    async def follow(self, store: Store, account_id: str, session_id: str, template: str) -> None:
        """End the account's other sessions and its unanswered challenges, and queue the notice."""
        await store.factors.challenges.drop(account_id)
        await self._sessions.end_others(store.sessions, store.revocations, account_id, session_id)
        await self.tell(store.mail, account_id, template)

    async def tell(self, mails: MailStore, account_id: str, template: str) -> None:
        """Queue a notice."""
        mail_id = self._ids.new("mai")
        await mails.add(Outgoing(mail_id, account_id, template, reference="", due=self._clock.now()))
