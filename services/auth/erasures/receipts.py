"""Owns the fetching of an erasure's receipts from the log, for the last mail. Must run before the owner's key dies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from services.auth.courier import Undelivered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.auth.mail import Enclosure, Outgoing
    from services.auth.store import Units


class ReceiptsAway(Exception):  # noqa: N818 - a state of the log
    """The log is away, or no checkpoint covers the events yet."""


class ReceiptSource(Protocol):
    """The log, as far as receipts go."""

    async def receipts(self, account_id: str, events: Sequence[str]) -> Sequence[bytes]:
        """Return the receipts of a customer's events, in order. Raises ReceiptsAway."""
        ...


class LastReceipts:
    """What is enclosed with the last mail: a receipt of what each service did."""

    def __init__(self, units: Units, source: ReceiptSource) -> None:
        """Take transactions to read in, and the log."""
        self._units, self._source = units, source

    async def enclosures(self, mail: Outgoing) -> Sequence[Enclosure]:
        """Return them.

        Raises:
            Undelivered: They cannot be had now; the mail waits.
        """
        async with self._units.read() as store:
            parts = await store.lifecycle.erasures.parts(mail.account_id)
        try:
            found = await self._source.receipts(mail.account_id, [part.event_id for part in parts])
        except ReceiptsAway:
            raise Undelivered(for_good=False) from None
        return [(f"{part.service}.tlog-proof", data) for part, data in zip(parts, found, strict=True)]
