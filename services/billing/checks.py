"""Owns billing's live checks of promise P12: how the payment gateway is reached, and when it was last attested.

`billing.gateway_tls` shakes hands with it and measures the bits of the suite; `billing.attestation_age` counts the days
since its attestation of compliance. Must never send the gateway anything but a handshake.
"""

import ssl
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, date, datetime

from services.billing.egress import Handshake, WeakConnection
from services.kit.checks import Check
from services.kit.clock import Clock


def checks(shake: Callable[[], Awaitable[Handshake]], attested: date | None, clock: Clock) -> Iterator[Check]:
    """Yield the checks; where no attestation is known, there is none of its age."""

    async def bits() -> int:
        try:
            made = await shake()
            made.require_strong()
        except (WeakConnection, ssl.SSLError):
            return 0  # an older protocol, or somebody else, keeps no promise, however many bits it has
        return made.bits

    yield Check("billing.gateway_tls", bits)
    if attested is None:
        return
    since = datetime(attested.year, attested.month, attested.day, tzinfo=UTC)

    async def age() -> int:
        return (clock.now() - since).days

    yield Check("billing.attestation_age", age)
