"""Card numbers are found however they are written, and little else is taken for one."""

from __future__ import annotations

import random
import time

import pytest
from google.api import httpbody_pb2
from google.protobuf import struct_pb2
from hypothesis import given
from hypothesis import strategies as st

from services.kit.cardguard import contains_card_number, holds_card_number
from services.kit.clock import SystemClock
from services.kit.ids import Ids
from valv.audit.v1 import append_pb2, event_pb2
from valv.auth.v1 import account_pb2
from valv.billing.v1 import card_pb2, charge_pb2
from valv.files.v1 import file_pb2

VISA = "4242424242424242"
CARDS = {
    "visa": VISA,
    "visa 13": "4222222222222",
    "visa 19": "4000000000000000006",
    "mastercard": "5555555555554444",
    "mastercard 2-series": "2223003122003222",
    "amex": "378282246310005",
    "diners": "30569309025904",
    "diners 36": "36227206271667",
    "discover": "6011111111111117",
    "jcb": "3566002020360505",
    "unionpay": "6200000000000005",
    "maestro": "6759649826438453",
    "mir": "2200770239097761",
}


@pytest.mark.clause("P11", "PCI DSS 3.3.1")
@pytest.mark.parametrize("number", CARDS.values(), ids=CARDS)
def test_the_schemes_numbers_are_found(number: str) -> None:
    assert contains_card_number(number)
    assert contains_card_number(f"my card is {number}, thanks")
    assert not contains_card_number(number[:-1] + str((int(number[-1]) + 1) % 10))


@pytest.mark.clause("P11")
@pytest.mark.parametrize(
    "text",
    [
        "4242 4242 4242 4242",
        "4242-4242-4242-4242",
        "4242.4242.4242.4242",
        "4242\u00a04242\u00a04242\u00a04242",
        "4242\u20114242\u20134242\u22124242",
        "4242\u200b4242\u200b4242\u200b4242",
        "4242 - 4242 - 4242 - 4242",
        "4242\n4242\n4242\n4242",
        "4_2_4_2_4_2_4_2_4_2_4_2_4_2_4_2",
        "3782 822463 10005",
        "scan_4242424242424242.pdf",
        "4242 4242 4242 4242 12 27 123",
        "07 4242 4242 4242 4242",
        "%B4242424242424242^SVENSSON/ANNA^2712101?",
        ";4242424242424242=27121010000000000?",
        "q=4242%204242%204242%204242",
        "q=4242+4242+4242+4242%20",
        "٤٢٤٢٤٢٤٢٤٢٤٢٤٢٤٢",
        "４２４２ ４２４２ ４２４２ ４２４２",  # noqa: RUF001 - full-width digits
        "४२४२४२४२४२४२४२४२",
    ],
)
def test_ways_of_writing_a_number_do_not_hide_it(text: str) -> None:
    assert contains_card_number(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-22 12:00:00.000",
        "+46 70 123 45 67",
        "1795350126534",
        "0af7651916cd43dd8448eb211c80319c",
        "424242424242424a2424242424242424",
        "42424242-4242-4242-8242-424242424242",
        "4242424242424242" * 2,
        "192.168.100.200",
        "1234567890123456",
        "0000000000000000",
        "order 4242-4242",
    ],
)
def test_other_numbers_are_let_through(text: str) -> None:
    assert not contains_card_number(text)


def test_ids_digests_and_request_ids_are_never_taken_for_cards() -> None:
    ids, entropy = Ids(SystemClock()), random.Random(1)
    for _ in range(3000):
        words = [ids.new("evt"), f"{entropy.getrandbits(128):032x}", f"{entropy.getrandbits(256):064x}"]
        number = f"{entropy.getrandbits(128):032x}"
        words.append(f"{number[:8]}-{number[8:12]}-{number[12:16]}-{number[16:20]}-{number[20:]}")
        message = append_pb2.AppendRequest(epoch=words[0], events=[" ".join(words).encode()])
        assert not holds_card_number(message) or all(word.isdigit() for word in words)


@pytest.mark.clause("P11")
def test_every_string_and_bytes_field_is_searched_however_deep() -> None:
    origin = event_pb2.Origin(device=VISA)
    held = [
        file_pb2.ListFilesRequest(page_token=VISA),
        file_pb2.File(display_name=f"{VISA}.txt"),
        charge_pb2.CreateChargeRequest(idempotency_key="k", amount=charge_pb2.Money(currency=VISA)),
        card_pb2.ListCardsResponse(cards=[card_pb2.Card(), card_pb2.Card(brand=VISA)]),
        append_pb2.AppendRequest(events=[b"ok", event_pb2.Event(origin=origin).SerializeToString()]),
        httpbody_pb2.HttpBody(data=b"\xff\x00" + VISA.encode()),
        struct_pb2.Struct(fields={"a": struct_pb2.Value(string_value=VISA)}),
        struct_pb2.Struct(fields={VISA: struct_pb2.Value()}),
    ]
    assert all(holds_card_number(message) for message in held)


def test_a_password_may_be_all_digits() -> None:
    assert not holds_card_number(account_pb2.SignInRequest(email="a@b.se", password=VISA))
    assert holds_card_number(account_pb2.SignInRequest(email=VISA, password="x"))


@given(st.text(max_size=40), st.sampled_from(sorted(CARDS.values())), st.text(max_size=40))
def test_a_number_is_found_inside_any_text(before: str, number: str, after: str) -> None:
    """Unless digits stand next to it, which make it another number, or hexadecimal digits, which make it a digest."""
    assert contains_card_number(f"{before} |{number}| {after}")


@pytest.mark.parametrize("unit", ["4", "4 ", "42 ", "424 ", "4242 ", "4242424242424242 ", "\u0664", "%34", "4-._ "])
def test_long_input_costs_little(unit: str) -> None:
    text = (unit * 65536)[:65536].replace("4242424242424242 ", "4242424242424243 ")
    started = time.perf_counter()
    contains_card_number(text)
    assert time.perf_counter() - started < 1
