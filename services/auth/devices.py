"""Owns which devices an account has signed in from: by a long-lived random token, kept only as a hash per account.

A device token opens nothing. It tells an owner's own device from a stranger's: a sign-in without one that the account
knows is announced to the owner, and a known device still gets in while strangers have used up the limits. Browsers
carry it in ``__Host-valv_device``. The hash is bound to the account, so that rows do not tell who shares a device.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from services.auth import tokens
from services.kit.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.auth.store import DeviceStore
    from services.kit.clock import Clock

LIFETIME = timedelta(days=400)
"""How long a device is known after its last sign-in; browsers keep no cookie longer (RFC 6265bis section 5.5)."""
KEPT = 50
"""Devices kept per account: the ones seen last."""
NOTICES = 10
"""Notices of new devices per account and hour: an inbox is told, not filled."""
_HOUR = timedelta(hours=1)
_EVER = datetime.fromtimestamp(0, UTC)
_TOKEN = re.compile(r"vdt_[A-Za-z0-9_-]{43}")


@dataclass(frozen=True)
class Recognized:
    """What became of a device at a sign-in."""

    token: Secret
    """What the device presents from now on."""
    announce: bool
    """The owner is to be told: the account has signed in before, and never from here."""


class Devices:
    """Knows devices again."""

    def __init__(self, clock: Clock, entropy: Callable[[int], bytes]) -> None:
        """Take the clock and the source of randomness."""
        self._clock, self._entropy = clock, entropy

    async def known(self, store: DeviceStore, account_id: str, token: Secret | None) -> bool:
        """Tell whether an account has signed in from the device of this token; the same work for an unknown account."""
        seen = await store.last_seen(account_id, _hash(account_id, token.text() if token else ""))
        return seen is not None and self._clock.now() - seen < LIFETIME

    async def name(self, store: DeviceStore, account_id: str, token: Secret | None) -> str:
        """Return what a known device is called where its attempts are counted; "" for any other."""
        known = await self.known(store, account_id, token)
        return _hash(account_id, token.text()).hex() if known and token else ""

    async def remember(self, store: DeviceStore, account_id: str, token: Secret | None, device: str) -> Recognized:
        """Note a successful sign-in; who has no token, or one of another form, is given one."""
        now = self._clock.now()
        known = await self.known(store, account_id, token)
        announce = not known and await self._strange(store, account_id, now)
        if token is None or not _TOKEN.fullmatch(token.text()):
            token = self._mint()
        await store.see(account_id, _hash(account_id, token.text()), device, now)
        if not known:
            await store.prune(account_id, KEPT)
        return Recognized(token, announce)

    async def _strange(self, store: DeviceStore, account_id: str, now: datetime) -> bool:
        """Tell whether the owner is to be told: not of the first device, and not of too many in an hour."""
        return bool(await store.count(account_id, _EVER)) and await store.count(account_id, now - _HOUR) < NOTICES

    def _mint(self) -> Secret:
        return Secret(tokens.mint("vdt_", self._entropy))


def _hash(account_id: str, token: str) -> bytes:
    return tokens.digest(f"{account_id}\x00{token}")
