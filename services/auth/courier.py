"""Owns the delivery of queued mails: at least once, with growing pauses, given up after a day.

The token of a mail exists in the process only between its minting and the end of the delivery.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from services.auth import email_address
from services.auth.store import StoreAway
from services.kit.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from email.message import EmailMessage

    from services.auth.addressing import Addressing
    from services.auth.mail import Enclosure, Letters, Outgoing
    from services.auth.store import Units
    from services.kit.clock import Clock

POLL_SECONDS = 0.5
LEASE = timedelta(seconds=90)
BATCH = 8
PAUSES = tuple(timedelta(seconds=pause) for pause in (5, 15, 60, 300, 900, 3600, 3600, 7200, 14400, 28800, 28800))
"""What follows each failed attempt; after the last the mail is given up, about a day after it was asked for."""


class Undelivered(Exception):  # noqa: N818 - a state of the mail
    """The mail server did not take a mail. Never holds what it said."""

    def __init__(self, *, for_good: bool) -> None:
        """``for_good``: trying again is of no use."""
        super().__init__()
        self.for_good = for_good


class Transport(Protocol):
    """The mail server."""

    async def deliver(self, message: EmailMessage) -> None:
        """Hand over a mail. Raises Undelivered."""
        ...


class Enclosing(Protocol):
    """Finds the files that come with a mail."""

    async def __call__(self, mail: Outgoing) -> Sequence[Enclosure]:
        """Return them. Raises Undelivered when they cannot be had now."""
        ...


class Courier:
    """Takes mails from the queue and hands them to the mail server."""

    def __init__(
        self,
        units: Units,
        letters: Letters,
        addressing: Addressing,
        transport: Transport,
        clock: Clock,
        failed: Callable[[str], None],
        enclosing: Mapping[str, Enclosing] | None = None,
    ) -> None:
        """Take the collaborators.

        Args:
            units: Transactions.
            letters: The words.
            addressing: To whom, and about what.
            transport: The mail server.
            clock: The clock.
            failed: Called with what went wrong, a constant, for the log.
            enclosing: What finds the files that come with a mail, by its template.
        """
        self._units, self._letters, self._addressing, self._transport = units, letters, addressing, transport
        self._clock, self._failed, self._enclosing = clock, failed, enclosing or {}

    async def run(self) -> None:
        """Deliver for ever."""
        reachable = True
        while True:
            try:
                busy = await self.step()
                reachable = True
            except StoreAway:
                if reachable:
                    self._failed("the mail queue cannot be used")
                busy = reachable = False
            if not busy:
                await asyncio.sleep(POLL_SECONDS)

    async def step(self) -> bool:
        """Deliver what is due; tell whether there was anything."""
        now = self._clock.now()
        async with self._units.read() as store:
            if not await store.mail.is_due(now):
                return False
        async with self._units.write() as store:
            mails = await store.mail.claim(now, now + LEASE, BATCH)
        await asyncio.gather(*(self._deliver(mail) for mail in mails))
        return bool(mails)

    async def _deliver(self, mail: Outgoing) -> None:
        try:
            message = await self._write(mail)
            if message is not None:
                await self._transport.deliver(message)
        except Undelivered as error:
            await self._again(mail, for_good=error.for_good)
            return
        except (Fault, ValueError, LookupError):  # a mail that cannot be written must not stop the others
            await self._again(mail, for_good=True)
            return
        async with self._units.write() as store:
            await store.mail.remove(mail.mail_id)
            if message is not None:
                await store.ledger.mail(mail.account_id, mail.mail_id, mail.template, sent=True)

    async def _write(self, mail: Outgoing) -> EmailMessage | None:
        async with self._units.write() as store:
            addressed = await self._addressing.address(store, mail)
        if addressed is None:
            return None
        mailbox = email_address.parse(addressed.email).mailbox
        find = self._enclosing.get(mail.template)
        enclosures = await find(mail) if find else ()
        return self._letters.write(mail, addressed.locale, mailbox, addressed.values, self._clock.now(), enclosures)

    async def _again(self, mail: Outgoing, *, for_good: bool) -> None:
        if for_good or mail.attempts >= len(PAUSES):
            self._failed("a mail was given up")
            async with self._units.write() as store:
                await store.mail.remove(mail.mail_id)
                await store.ledger.mail(mail.account_id, mail.mail_id, mail.template, sent=False)
            return
        self._failed("a mail was not delivered")
        async with self._units.write() as store:
            await store.mail.postpone(mail.mail_id, self._clock.now() + PAUSES[mail.attempts])
