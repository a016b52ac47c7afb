"""Owns the ports to third parties, and what can go wrong there. Errors carry nothing: no address, no answer, no secret.

A connector asks the third party once for each call it is given; it never retries, queues or keeps anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from services.auth.links.grants import Grant, Pending
    from services.auth.links.providers import Provider
    from services.kit.secret import Secret


class Refused(Exception):  # noqa: N818 - an answer
    """The third party does not accept what it was shown."""


class Away(Exception):  # noqa: N818 - a state of the third party
    """The third party did not answer in time, or not in a way that says yes or no."""


class Untrusted(Exception):  # noqa: N818 - a refusal of ours
    """The third party could not prove who it is. Nothing was shown to it."""


class Busy(Exception):  # noqa: N818 - a state of ours
    """There is no room to ask now. Nothing was asked."""


class PasswordConnector(Protocol):
    """A third party that takes a password."""

    async def connect(self, username: str, password: Secret) -> Grant:
        """Show the password once. Raises Refused, Away, Untrusted or Busy."""
        ...


class RedirectConnector(Protocol):
    """A third party that people are sent to."""

    def address(self, state: str, pending: Pending) -> str:
        """Return where to send the person."""
        ...

    async def complete(self, code: str, pending: Pending) -> Grant:
        """Exchange what the person came back with. Raises Refused, Away or Untrusted."""
        ...


class TokenConnector(Protocol):
    """A third party that gives tokens."""

    async def renew(self, grant: Grant) -> Grant:
        """Exchange the refresh token for a new token. Raises Refused, Away or Untrusted."""
        ...

    async def revoke(self, grant: Grant) -> None:
        """Revoke the token; one that does not work any more counts as revoked. Raises Away or Untrusted."""
        ...


@dataclass(frozen=True)
class Party:
    """A third party: what the configuration says of it, and how it is asked."""

    provider: Provider
    password: PasswordConnector | None = None
    redirect: RedirectConnector | None = None
    tokens: TokenConnector | None = None
    revokes: bool = False
    """The third party has a way to revoke."""
