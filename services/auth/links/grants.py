"""Owns what a third party grants and how it is sealed. Must never hold a password, nor be stored bare.

Sealed under a key of the account's own, which is in the keys database, wrapped by a root key that is in neither: bound
to the account, the link and the provider. What waits to be revoked is sealed under a key of its own, since it must
outlive the link, and an account's key.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from services.auth.errors import LINK_LOST
from services.kit.envelope import RootKeyError, SealError, context, seal, unseal
from services.kit.faults import UNAVAILABLE, Fault
from services.kit.keyring import KeyDestroyedError
from services.kit.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Awaitable

T = TypeVar("T")
PURPOSE = "links"
_QUEUE = "revocations"


@dataclass(frozen=True)
class Grant:
    """What a third party gave: who the person is there, and perhaps a token."""

    subject: str
    """Who they are there. Unique within the issuer, never an address by which to find anybody."""
    issuer: str = ""
    """OpenID Connect: who says so."""
    token: Secret | None = None
    """None: a proof and no more."""
    scheme: str = ""
    """How the token is presented: ``Bearer`` or ``Basic``."""
    refresh: Secret | None = None
    expires: datetime | None = None
    """When the token stops working, as far as it is known."""


@dataclass(frozen=True)
class Pending:
    """What is needed when the person comes back from the third party."""

    nonce: str
    verifier: Secret


class Keys(Protocol):
    """Where keys come from: the kit's keyring."""

    async def get(self, owner: str) -> bytes | None:
        """Return the owner's key, or None when it was destroyed or never made."""
        ...

    async def get_or_create(self, owner: str) -> bytes:
        """Return the owner's key, making it the first time."""
        ...


class Vault:
    """Seals and opens."""

    def __init__(self, keys: Keys) -> None:
        """Take the keyring of this purpose."""
        self._keys = keys

    async def seal(self, account_id: str, link_id: str, provider: str, what: Grant | Pending) -> bytes:
        """Seal what belongs to a link.

        Raises:
            Fault: UNAVAILABLE.
        """
        key = await _available(self._keys.get_or_create(account_id))
        label, fields = ("grant", _written(what)) if isinstance(what, Grant) else ("pending", _pending(what))
        return seal(key, json.dumps(fields).encode(), _bound(label, account_id, link_id, provider))

    async def open(self, account_id: str, link_id: str, provider: str, sealed: bytes) -> Grant:
        """Open a grant.

        Raises:
            Fault: LINK_LOST: it does not open any more. UNAVAILABLE.
        """
        return _read(await self._open("grant", account_id, account_id, link_id, provider, sealed))

    async def open_pending(self, account_id: str, link_id: str, provider: str, sealed: bytes) -> Pending:
        """Open what waits for the person to come back.

        Raises:
            Fault: LINK_LOST: it does not open any more. UNAVAILABLE.
        """
        fields = await self._open("pending", account_id, account_id, link_id, provider, sealed)
        return Pending(fields["nonce"], Secret(fields["verifier"]))

    async def seal_for_revocation(self, account_id: str, link_id: str, provider: str, grant: Grant) -> bytes:
        """Seal a grant that waits to be revoked.

        Raises:
            Fault: UNAVAILABLE.
        """
        key = await _available(self._keys.get_or_create(_QUEUE))
        return seal(key, json.dumps(_written(grant)).encode(), _bound("revocation", account_id, link_id, provider))

    async def open_for_revocation(self, account_id: str, link_id: str, provider: str, sealed: bytes) -> Grant:
        """Open a grant that waits to be revoked.

        Raises:
            Fault: LINK_LOST: it does not open any more. UNAVAILABLE.
        """
        return _read(await self._open("revocation", _QUEUE, account_id, link_id, provider, sealed))

    async def _open(
        self, label: str, owner: str, account_id: str, link_id: str, provider: str, sealed: bytes
    ) -> dict[str, Any]:
        key = await _available(self._keys.get(owner))
        if key is None:
            raise Fault(LINK_LOST)
        try:
            opened: dict[str, Any] = json.loads(unseal(key, sealed, _bound(label, account_id, link_id, provider)))
        except SealError:
            raise Fault(LINK_LOST) from None
        return opened


async def _available(work: Awaitable[T]) -> T:
    try:
        return await work
    except (SealError, KeyDestroyedError):
        raise Fault(LINK_LOST) from None
    except RootKeyError:
        raise Fault(UNAVAILABLE, retry_after=1) from None


def _bound(label: str, *parts: str) -> bytes:
    return context(f"valv/link/{label}/v1", *parts)


def _pending(pending: Pending) -> dict[str, object]:
    return {"nonce": pending.nonce, "verifier": pending.verifier.text()}


def _written(grant: Grant) -> dict[str, object]:
    return {
        "subject": grant.subject,
        "issuer": grant.issuer,
        "token": None if grant.token is None else grant.token.text(),
        "scheme": grant.scheme,
        "refresh": None if grant.refresh is None else grant.refresh.text(),
        "expires": None if grant.expires is None else grant.expires.timestamp(),
    }


def _read(fields: dict[str, Any]) -> Grant:
    return Grant(
        subject=fields["subject"],
        issuer=fields["issuer"],
        token=None if fields["token"] is None else Secret(fields["token"]),
        scheme=fields["scheme"],
        refresh=None if fields["refresh"] is None else Secret(fields["refresh"]),
        expires=None if fields["expires"] is None else datetime.fromtimestamp(fields["expires"], UTC),
    )
