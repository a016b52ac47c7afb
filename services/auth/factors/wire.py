"""Owns how challenges, answers and factors look on the wire. Must never decide anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.auth.factors.holdings import Factor
from services.auth.factors.proofs import Answer
from services.auth.wire import NO_STORE, secret, timestamp
from services.kit.faults import INVALID_ARGUMENT, Fault
from valv.auth.v1 import account_pb2, factor_pb2

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.auth.factors.holdings import Holdings
    from services.auth.factors.passkeys import Passkey
    from services.auth.factors.steps import Next
    from services.kit.call import Call
    from services.kit.secret import Secret

_FACTORS = {
    Factor.TOTP: account_pb2.FACTOR_TOTP,
    Factor.PASSKEY: account_pb2.FACTOR_PASSKEY,
    Factor.RECOVERY_CODE: account_pb2.FACTOR_RECOVERY_CODE,
}


def wanted(call: Call, outcome: Next) -> account_pb2.SecondFactor:
    """Return what is still wanted, to be kept by no cache."""
    call.reply_metadata.append(NO_STORE)
    return account_pb2.SecondFactor(
        challenge=outcome.challenge.text(),
        factors=[_FACTORS[factor] for factor in outcome.factors],
        passkey_options_json=outcome.passkey_options,
        expires=timestamp(outcome.expires),
    )


def answer(request: account_pb2.ContinueSignInRequest) -> Answer:
    """Return the answer to a challenge.

    Raises:
        Fault: INVALID_ARGUMENT: there is none, or more than one.
    """
    given = [
        Answer(factor, secret(text, field))
        for factor, text, field in (
            (Factor.TOTP, request.totp_code, "totp_code"),
            (Factor.RECOVERY_CODE, request.recovery_code, "recovery_code"),
            (Factor.PASSKEY, request.passkey_json, "passkey_json"),
        )
        if text
    ]
    if len(given) != 1:
        raise Fault(INVALID_ARGUMENT, field="totp_code")
    return given[0]


def codes(made: Sequence[Secret]) -> list[str]:
    """Return recovery codes, to be shown once."""
    return [code.text() for code in made]


def passkey(stored: Passkey) -> factor_pb2.Passkey:
    """Return a passkey as its owner sees it."""
    return factor_pb2.Passkey(
        passkey_id=stored.passkey_id,
        display_name=stored.display_name,
        created=timestamp(stored.created),
        used=None if stored.used is None else timestamp(stored.used),
        verifies_user=stored.verifies_user,
    )


def listed(held: Holdings) -> factor_pb2.ListFactorsResponse:
    """Return what an account has."""
    confirmed = None if held.totp is None else held.totp.confirmed
    return factor_pb2.ListFactorsResponse(
        has_password=held.has_password,
        totp_confirmed=None if confirmed is None else timestamp(confirmed),
        passkeys=[passkey(one) for one in held.passkeys],
        recovery_codes_left=held.recovery_codes,
    )
