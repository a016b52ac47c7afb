"""Messages are printed without their secrets."""

from __future__ import annotations

import pytest
from google.api import httpbody_pb2
from google.protobuf import struct_pb2

from services.kit.redact import printed
from valv.auth.v1 import account_pb2, session_pb2
from valv.billing.v1 import card_pb2, charge_pb2

CANARY = "canary-password"


@pytest.mark.clause("P6", "ASVS 16.2.5")
def test_redacted_fields_are_hidden_at_any_depth() -> None:
    request = account_pb2.SignInRequest(
        email="anna@valv.localhost", password=CANARY, delivery=account_pb2.TOKEN_DELIVERY_BODY
    )
    expected = "{email: 'anna@valv.localhost', password: [redacted], delivery: TOKEN_DELIVERY_BODY}"
    assert printed(request) == "SignInRequest" + expected
    assert CANARY in str(request), "str() of a message ignores redaction: that is why this module exists"
    reply = session_pb2.RenewResponse(assertion=CANARY, session_id="ses_1")
    assert printed(reply) == "RenewResponse{assertion: [redacted], session_id: 'ses_1'}"
    assert CANARY not in printed(card_pb2.CreateCardSetupResponse(client_secret=CANARY))


def test_all_kinds_of_fields_are_printed() -> None:
    assert printed(httpbody_pb2.HttpBody(data=b"12345")) == "HttpBody{data: <5 bytes>}"
    charge = charge_pb2.ListChargesResponse(charges=[charge_pb2.Charge(state=charge_pb2.Charge.STATE_PENDING)])
    assert printed(charge) == "ListChargesResponse{charges: [Charge{state: STATE_PENDING}]}"
    charge.charges[0].state = 99  # type: ignore[assignment]  # from a newer contract
    assert "state: 99" in printed(charge)
    struct = struct_pb2.Struct(fields={"a": struct_pb2.Value(number_value=1)})
    assert printed(struct) == "Struct{fields: {'a': Value{number_value: 1.0}}}"


def test_text_cannot_break_out_of_its_line() -> None:
    assert "\n" not in printed(account_pb2.SignInRequest(email="a\nb\u2028\x1b[0m"))
    assert "\x1b" not in printed(account_pb2.SignInRequest(email="a\nb\u2028\x1b[0m"))
