"""Owns what happens when somebody has authenticated: a new session, the end of the one before it, the device noted.

Every way to sign in ends here, whatever its factors were. The session that the request carried is dead afterwards
(ASVS 5.0 7.2.4): a token planted before a sign-in is worth nothing after it. Must never check a credential.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from services.auth import places
from services.auth.mail import NEW_DEVICE, Outgoing

if TYPE_CHECKING:
    from services.auth.devices import Devices
    from services.auth.sessions import Session, Sessions
    from services.auth.store import Store
    from services.kit.clock import Clock
    from services.kit.ids import Ids
    from services.kit.secret import Secret


@dataclass(frozen=True)
class Visitor:
    """Who is at the door, as the edge saw them: nothing here proves anything."""

    address: str
    """The client's address; may be empty."""
    device: str = ""
    """Its coarse class, such as "firefox/linux"."""
    device_token: Secret | None = field(default=None, repr=False)
    session_token: Secret | None = field(default=None, repr=False)
    """Of the session the request carried."""


@dataclass(frozen=True)
class Arrived:
    """A new session, its token and the device's: the tokens exist nowhere else."""

    session: Session
    token: Secret
    device_token: Secret
    superseded: bool
    """Another session ended: it is to be announced once this is committed."""


class Arrivals:
    """Lets in who has authenticated."""

    def __init__(self, sessions: Sessions, devices: Devices, clock: Clock, ids: Ids) -> None:
        """Take the collaborators."""
        self._sessions, self._devices, self._clock, self._ids = sessions, devices, clock, ids

    async def open(self, store: Store, account_id: str, amr: tuple[str, ...], visitor: Visitor) -> Arrived:
        """Open a session for somebody who has just authenticated, in the call's transaction."""
        superseded = await self._end_earlier(store, visitor)
        place = places.coarse(visitor.address)
        opened = await self._sessions.open(store.sessions, account_id, amr, visitor.device, place)
        device = await self._devices.remember(store.devices, account_id, visitor.device_token, visitor.device)
        if device.announce:
            now, session_id = self._clock.now(), opened.session.session_id
            await store.mail.add(Outgoing(self._ids.new("mai"), account_id, NEW_DEVICE, session_id, now))
        return Arrived(opened.session, opened.token, device.token, superseded)

    async def device(self, store: Store, account_id: str, visitor: Visitor) -> str:
        """Return what a visitor's device is called when the account knows it, else ""; "" is also nobody's account."""
        return await self._devices.name(store.devices, account_id, visitor.device_token)

    async def _end_earlier(self, store: Store, visitor: Visitor) -> bool:
        if visitor.session_token is None:
            return False
        earlier = await self._sessions.stored(store.sessions, visitor.session_token)
        if earlier is None or not await self._sessions.end(store.sessions, store.revocations, earlier.session_id):
            return False
        await store.ledger.superseded(earlier.account_id, earlier.session_id)
        return True
