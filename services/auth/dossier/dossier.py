"""Owns auth's part of an export: everything it holds about a person that is not a secret.

The archive is put together elsewhere (the client, the command line): that needs no secret, so it is not done here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.auth.factors.holdings import Factor
from services.kit.faults import INVALID_ARGUMENT, NOT_FOUND, Fault
from services.kit.ids import check

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from services.auth.accounts import Account
    from services.auth.links.store import Link
    from services.auth.sessions import Session
    from services.auth.store import Readable, Store

DEFAULT_PAGE = 200
MOST_PAGE = 500


@dataclass(frozen=True)
class KnownDevice:
    """A device that an account knows."""

    device: str
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True)
class KnownFactor:
    """A second factor or passkey, without what it is checked with."""

    kind: str
    factor_id: str = ""
    display_name: str = ""
    created: datetime | None = None
    used: datetime | None = None
    left: int = 0


@dataclass(frozen=True)
class Dossier:
    """A page of what auth holds; what is not paged is on the first page only."""

    account: Account | None
    has_password: bool
    devices: Sequence[KnownDevice]
    factors: Sequence[KnownFactor]
    links: Sequence[Link]
    sessions: Sequence[Session]
    next_token: str


async def export(work: Readable, account_id: str, size: int, token: str) -> Dossier:
    """Return a page of what auth holds about somebody.

    Raises:
        Fault: INVALID_ARGUMENT: no such page size, or not a page's token. NOT_FOUND: no such account.
    """
    limit = _limit(size, token)
    async with work.read() as store:
        account = await store.accounts.get(account_id)
        if account is None:
            raise Fault(NOT_FOUND)
        found = await store.lifecycle.dossiers.sessions(account_id, token, limit + 1)
        page, more = found[:limit], len(found) > limit
        following = page[-1].session_id if more else ""
        if token:
            return Dossier(
                None, has_password=False, devices=(), factors=(), links=(), sessions=page, next_token=following
            )
        return Dossier(
            account,
            has_password=await store.lifecycle.dossiers.has_password(account_id),
            devices=await store.lifecycle.dossiers.devices(account_id),
            factors=await _factors(store, account_id),
            links=await store.links.connected(account_id),
            sessions=page,
            next_token=following,
        )


async def _factors(store: Store, account_id: str) -> Sequence[KnownFactor]:
    app, left = await store.factors.totp.find(account_id), await store.factors.recovery_codes.left(account_id)
    found = [
        KnownFactor(Factor.PASSKEY.value, key.passkey_id, key.display_name, key.created, key.used)
        for key in await store.factors.passkeys.of(account_id)
    ]
    if app is not None and app.confirmed is not None:
        found.append(KnownFactor(Factor.TOTP.value, created=app.confirmed))
    if left:
        found.append(KnownFactor(Factor.RECOVERY_CODE.value, left=left))
    return found


def _limit(size: int, token: str) -> int:
    if not 0 <= size <= MOST_PAGE:
        raise Fault(INVALID_ARGUMENT, field="page_size")
    if token:
        try:
            check("ses", token)
        except ValueError:
            raise Fault(INVALID_ARGUMENT, field="page_token") from None
    return size or DEFAULT_PAGE
