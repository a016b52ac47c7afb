"""Page tokens: where a list goes on, sealed so that only who got one can use it, and for the same question alone.

Owns the token's form: the position, sealed under the service's key, bound to who asks and what was asked.
"""

import base64
import binascii
import struct
from typing import Protocol

from services.audit.bodies import NOBODY
from services.audit.search.store import Position
from services.kit.envelope import SealError, context, seal, unseal
from services.kit.faults import INVALID_ARGUMENT, Fault

_LABEL = "valv/audit/page/v2"
_FORM = struct.Struct(">qq")
_LONGEST = 128


class Keys(Protocol):
    """The keys database."""

    async def get_or_create(self, owner: str) -> bytes:
        """Return the owner's key, made at first use."""


class Tokens:
    """Makes page tokens and reads them again."""

    def __init__(self, keys: Keys) -> None:
        """Take the keys database."""
        self._keys = keys

    async def make(self, position: Position | None, *bound: str) -> str:
        """Return the token of a position; empty when there is none."""
        if position is None:
            return ""
        key = await self._keys.get_or_create(NOBODY)
        sealed = seal(key, _FORM.pack(position.time_ms, position.index), context(_LABEL, *bound))
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    async def read(self, token: str, *bound: str) -> Position | None:
        """Return a token's position, None for an empty token.

        Raises:
            Fault: INVALID_ARGUMENT: made up, or given to somebody else or for another question.
        """
        if not token:
            return None
        key = await self._keys.get_or_create(NOBODY)
        try:
            if len(token) > _LONGEST:
                raise SealError("longer than any token")
            sealed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
            return Position(*_FORM.unpack(unseal(key, sealed, context(_LABEL, *bound))))
        except (binascii.Error, ValueError, struct.error):
            raise Fault(INVALID_ARGUMENT, field="page_token") from None
