"""SQL of the leases: the sequencer's, that of retention, and those of the exports.

Owns who holds each and its fencing token. Never decides what the holder does.
"""

from sqlalchemy import select, update

from services.audit.tables import LEASES
from services.kit.clock import Clock, milliseconds
from services.kit.db import Database

SEQUENCER = "sequencer"
SIEM_HTTPS = "siem-https"
SIEM_DIRECTORY = "siem-directory"
RETENTION = "retention"


class SqlLease:
    """A lease. The sequencer's safety comes from the token that the checkpoint store compares, not from clocks."""

    SECONDS = 3.0

    def __init__(self, database: Database, clock: Clock, holder: str, name: str = SEQUENCER) -> None:
        """Take the database, this process's name, and which lease."""
        self._database, self._clock, self._holder = database, clock, holder
        self._wanted = LEASES.c.name == name
        self._token: int | None = None
        self._renew = 0.0

    async def hold(self) -> int | None:
        """Take or keep the lease; return its token, or None while another holds it."""
        if self._token is not None and self._clock.monotonic() < self._renew:
            return self._token
        now = milliseconds(self._clock.now())
        renew = self._clock.monotonic() + self.SECONDS / 2
        async with self._database.write() as connection:
            row = (await connection.execute(select(LEASES).where(self._wanted).with_for_update())).one()
            if row.holder != self._holder and row.until_ms > now:
                self._token = None
                return None
            token: int = row.token + (row.holder != self._holder)
            values = {"holder": self._holder, "token": token, "until_ms": now + int(self.SECONDS * 1000)}
            await connection.execute(update(LEASES).where(self._wanted).values(values))
        self._token, self._renew = token, renew
        return token

    async def surpass(self, fence: int) -> int:
        """Raise the held lease's token above `fence`."""
        mine = self._wanted & (LEASES.c.holder == self._holder)
        async with self._database.write() as connection:
            changed = await connection.execute(update(LEASES).where(mine).values(token=fence + 1))
        if not changed.rowcount:
            self._token = None
            raise TimeoutError("the lease was lost")
        self._token = fence + 1
        return self._token

    async def release(self) -> None:
        """Give the lease up, if held."""
        mine = self._wanted & (LEASES.c.holder == self._holder)
        async with self._database.write() as connection:
            await connection.execute(update(LEASES).where(mine).values(until_ms=0))
        self._token = None
