"""How the payment gateway is reached, and when it was last attested."""

from __future__ import annotations

import ssl
from datetime import date

import pytest

from services.billing.checks import checks
from services.billing.egress import Handshake
from tests.support.clock import FakeClock


async def measured(made: Handshake | Exception, attested: date | None = None) -> dict[str, int]:
    async def shake() -> Handshake:
        if isinstance(made, Exception):
            raise made
        return made

    return {check.name: await check.measure() for check in checks(shake, attested, FakeClock())}


@pytest.mark.clause("P12")
@pytest.mark.parametrize(
    "made, bits",
    [
        (Handshake("TLSv1.3", "TLS_AES_256_GCM_SHA384", 256), 256),
        (Handshake("TLSv1.3", "TLS_AES_128_GCM_SHA256", 128), 0),
        (Handshake("TLSv1.2", "ECDHE-RSA-AES256-GCM-SHA384", 256), 0),
        (ssl.SSLCertVerificationError(), 0),
    ],
)
async def test_only_a_verified_tls_1_3_with_256_bits_counts(made: Handshake | Exception, bits: int) -> None:
    assert await measured(made) == {"billing.gateway_tls": bits}


async def test_a_gateway_that_cannot_be_reached_is_not_measured() -> None:
    with pytest.raises(ConnectionRefusedError):
        await measured(ConnectionRefusedError())


@pytest.mark.clause("P12")
@pytest.mark.parametrize(
    "attested, days", [(date(2026, 11, 22), 0), (date(2025, 11, 22), 365), (date(2025, 1, 1), 690)]
)
async def test_the_attestation_grows_old(attested: date, days: int) -> None:
    found = await measured(Handshake("TLSv1.3", "TLS_AES_256_GCM_SHA384", 256), attested)
    assert found["billing.attestation_age"] == days
