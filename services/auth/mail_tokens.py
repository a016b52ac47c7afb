"""Owns the tokens in mails: minted when a mail is sent, stored only as a hash, used once, soon too old."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from services.auth import tokens
from services.auth.errors import TOKEN_NOT_VALID
from services.kit.faults import Fault
from services.kit.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.auth.store import MailTokenStore
    from services.kit.clock import Clock

CONFIRM = "confirm"
RECOVER = "recover"
EMAIL_CHANGE = "email_change"
LIFETIME = {CONFIRM: timedelta(hours=24), RECOVER: timedelta(hours=1), EMAIL_CHANGE: timedelta(hours=1)}
_TOKEN = re.compile(r"vmt_[A-Za-z0-9_-]{43}")


@dataclass(frozen=True)
class MailToken:
    """What a token stands for."""

    purpose: str
    account_id: str
    reference: str
    """What it is about: the sign-up, or the change of address."""
    expires: datetime


class MailTokens:
    """Mints tokens and takes them back, once."""

    def __init__(self, clock: Clock, entropy: Callable[[int], bytes]) -> None:
        """Take the clock and the source of randomness."""
        self._clock, self._entropy = clock, entropy

    async def mint(self, store: MailTokenStore, purpose: str, account_id: str, reference: str) -> Secret:
        """Return a new token; the store keeps its hash."""
        text = tokens.mint("vmt_", self._entropy)
        expires = self._clock.now() + LIFETIME[purpose]
        await store.add(MailToken(purpose, account_id, reference, expires), tokens.digest(text))
        return Secret(text)

    async def use(self, store: MailTokenStore, purpose: str, token: Secret) -> MailToken:
        """Use a token up.

        Raises:
            Fault: TOKEN_NOT_VALID: unknown, used or too old; the three cannot be told apart.
        """
        return _required(await store.use(_hash_of(token), purpose, self._clock.now()))

    async def find(self, store: MailTokenStore, purpose: str, token: Secret) -> MailToken:
        """Return what a token stands for without using it up: for what must be checked first.

        Raises:
            Fault: TOKEN_NOT_VALID.
        """
        return _required(await store.find(_hash_of(token), purpose, self._clock.now()))


def _required(found: MailToken | None) -> MailToken:
    if found is None:
        raise Fault(TOKEN_NOT_VALID, field="token")
    return found


def _hash_of(token: Secret) -> bytes:
    text = token.text()
    if not _TOKEN.fullmatch(text):
        raise Fault(TOKEN_NOT_VALID, field="token")
    return tokens.digest(text)
