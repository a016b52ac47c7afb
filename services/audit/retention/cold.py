"""Cold bundles: the bodies of 256 entries in one object, out of the database.

Owns the object's form and its key: 0x01 ‖ the bodies sealed under a key of the month's, bound to the bundle's number;
in it, for each body, position (1 byte), length (4 bytes), and the body as it was, still sealed under its subject's key.
A store can lose an object but not change it. Never opens a body.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from typing import Protocol

from services.audit.entry_keys import derive
from services.audit.errors import RECORDS_AWAY
from services.audit.tiles import WIDTH
from services.kit.envelope import SealError, context, seal, unseal
from services.kit.faults import Fault

_VERSION = b"\x01"
_SEALED = "valv/audit/cold/v1"
_LENGTH_BYTES = 4
_CACHED = 64
_AT_ONCE = 8


class ColdError(Exception):
    """The cold store is away, or an object in it is missing or was changed."""


class ColdStore(Protocol):
    """Objects by bundle."""

    async def put(self, bundle: int, data: bytes) -> None:
        """Make an object durable, in the place of an older one; raise ColdError."""

    async def get(self, bundle: int) -> bytes | None:
        """Return an object, or None; raise ColdError."""

    async def delete(self, bundle: int) -> None:
        """Delete an object, if there is one; raise ColdError."""

    async def close(self) -> None:
        """Give up threads and connections."""


class Keys(Protocol):
    """The keys of the months."""

    async def get(self, owner: str) -> bytes | None:
        """Return the month's key, or None when there is none (any more)."""

    async def get_or_create(self, owner: str) -> bytes:
        """Return the month's key, made at first use."""


class Bundles(Protocol):
    """Which bundles are cold."""

    async def cold_period(self, bundle: int) -> str | None:
        """Return the month whose key seals the bundle, or None when it is not cold."""


class ColdBodies:
    """Bodies in the cold store."""

    def __init__(self, store: ColdStore | None, keys: Keys, bundles: Bundles) -> None:
        """Take the store (None: there is none), the months' keys, and what says which bundles are cold."""
        self._store, self._keys, self._bundles = store, keys, bundles
        self._cache: OrderedDict[int, Mapping[int, bytes]] = OrderedDict()
        self._gate = asyncio.Semaphore(_AT_ONCE)

    @property
    def available(self) -> bool:
        """Whether there is a cold store."""
        return self._store is not None

    async def find(self, index: int) -> bytes:
        """Return the sealed body of an entry whose bundle is cold; empty when it has none there.

        Raises:
            Fault: RECORDS_AWAY: it cannot be fetched.
        """
        bundle, position = divmod(index, WIDTH)
        period = await self._bundles.cold_period(bundle)
        if not period:
            return b""
        bodies = self._cache.get(bundle)
        if bodies is None:
            async with self._gate:
                bodies = await self.read(bundle, period)
            self._cache[bundle] = bodies
        self._cache.move_to_end(bundle)
        while len(self._cache) > _CACHED:
            self._cache.popitem(last=False)
        return bodies.get(position, b"")

    async def write(self, bundle: int, period: str, bodies: Mapping[int, bytes]) -> None:
        """Make bodies (by position) durable, and read them back.

        Raises:
            ColdError: There is no store, it is away, or does not give back what it took.
        """
        key = _key(await self._keys.get_or_create(period), bundle)
        await self._required().put(bundle, _VERSION + seal(key, _join(bodies), _bound(bundle)))
        if await self._fetch(bundle, period) != dict(bodies):
            raise ColdError

    async def read(self, bundle: int, period: str) -> Mapping[int, bytes]:
        """Return the bodies of a cold bundle by position.

        Raises:
            Fault: RECORDS_AWAY: they cannot be fetched.
        """
        try:
            return await self._fetch(bundle, period)
        except ColdError as error:
            raise Fault(RECORDS_AWAY, retry_after=10) from error

    async def delete(self, bundle: int) -> None:
        """Delete a bundle's object; raise ColdError."""
        self._cache.pop(bundle, None)
        await self._required().delete(bundle)

    async def close(self) -> None:
        """Close the store."""
        if self._store is not None:
            await self._store.close()

    async def _fetch(self, bundle: int, period: str) -> Mapping[int, bytes]:
        data, key = await self._required().get(bundle), await self._keys.get(period)
        if data is None or key is None or data[:1] != _VERSION:
            raise ColdError
        try:
            return _split(unseal(_key(key, bundle), data[1:], _bound(bundle)))
        except SealError as error:
            raise ColdError from error

    def _required(self) -> ColdStore:
        if self._store is None:
            raise ColdError
        return self._store


def _key(period_key: bytes, bundle: int) -> bytes:
    return derive(period_key, f"cold/{bundle}")[1]


def _bound(bundle: int) -> bytes:
    return context(_SEALED, str(bundle))


def _join(bodies: Mapping[int, bytes]) -> bytes:
    return b"".join(
        position.to_bytes(1) + len(body).to_bytes(_LENGTH_BYTES) + body for position, body in sorted(bodies.items())
    )


def _split(data: bytes) -> dict[int, bytes]:
    bodies, at = dict[int, bytes](), 0
    while at < len(data):
        begin = at + 1 + _LENGTH_BYTES
        end = begin + int.from_bytes(data[at + 1 : begin])
        bodies[data[at]] = data[begin:end]
        at = end
    return bodies
