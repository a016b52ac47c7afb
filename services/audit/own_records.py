"""The way of the service's own outbox into its own log: the same appender, without a network between.

Owns nothing but the passing on.
"""

from collections.abc import Sequence

from services.audit.appender import Appender
from services.audit.journal import ROLE
from services.audit.recovery.placing import Place
from services.audit.store import Head
from services.kit.shipping import Away


class OwnRecords:
    """The log as the service's own relay sees it."""

    def __init__(self, appender: Appender) -> None:
        """Take the appender."""
        self._appender = appender

    async def head(self, epoch: str = "", shipped: int = 0) -> tuple[str, int]:
        """Return (epoch, highest number) held of this service's own records; all was shipped up to what is given."""
        head = await self._appender.head(ROLE, Head(epoch, shipped) if epoch else None)
        return (head.epoch, head.highest) if head is not None else ("", 0)

    async def append(self, epoch: str, predecessor: str, first_number: int, events: Sequence[bytes]) -> int:
        """Append; return the highest number held. Raises Away."""
        place = Place(ROLE, epoch, predecessor, first_number)
        try:
            return await self._appender.append_serialized(place, events)
        except Exception as error:  # whatever it is, the records stay in the outbox and are sent again
            raise Away from error
