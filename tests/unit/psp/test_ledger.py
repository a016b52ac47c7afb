"""The sandbox gateway takes its published test numbers only, keeps none of them, and takes money at most once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from deploy.sandbox.psp import customers, intents, refunds, setups
from deploy.sandbox.psp.errors import GatewayError
from deploy.sandbox.psp.ledger import Ledger
from deploy.sandbox.psp.numbers import NUMBERS
from deploy.sandbox.psp.params import Params
from deploy.sandbox.psp.store import Object, Store
from tests.support.clock import FakeClock


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    store = Store(tmp_path / "psp.db")
    yield Ledger(store, FakeClock())
    store.close()


def params(**fields: str) -> Params:
    return Params(urlencode(fields))


def type_card(ledger: Ledger, number: str, exp: str = "12/34", cvc: str = "123") -> tuple[str, Object]:
    customer = customers.create(ledger, params())["id"]
    setup = setups.create(ledger, params(customer=customer))
    month, year = exp.split("/")
    card = {"number": number, "exp_month": month, "exp_year": year, "cvc": cvc}
    typed = {f"payment_method_data[card][{name}]": value for name, value in card.items()}
    typed |= {"payment_method_data[type]": "card", "client_secret": setup["client_secret"]}
    return customer, setups.confirm(ledger, params(**typed), setup["id"])


def refusal(error: pytest.ExceptionInfo[GatewayError]) -> tuple[int, str, str | None]:
    body = error.value.body["error"]
    return error.value.status, body["code"], body.get("decline_code")


def intent(ledger: Ledger, number: str = "4242424242424242", amount: str = "1000") -> Object:
    customer, setup = type_card(ledger, number, cvc="1234" if number.startswith("3") else "123")
    fields = {"amount": amount, "currency": "sek", "customer": customer, "payment_method": setup["payment_method"]}
    return intents.create(ledger, params(**fields))


@pytest.mark.parametrize("number", [number for number, does in NUMBERS.items() if not does.setup])
def test_published_numbers_can_be_added(ledger: Ledger, number: str) -> None:
    _, setup = type_card(ledger, number, cvc="1234" if number.startswith("3") else "123")
    card = ledger.read("payment_method", setup["payment_method"])["card"]
    assert (card["brand"], card["last4"], card["exp_year"]) == (NUMBERS[number].brand, number[-4:], 2034)


@pytest.mark.parametrize(
    "number,exp,cvc,code,decline",
    [
        ("4111111111111111", "12/34", "123", "card_declined", "test_mode_live_card"),
        ("4242424242424241", "12/34", "123", "incorrect_number", None),
        ("nonsense", "12/34", "123", "incorrect_number", None),
        ("", "12/34", "123", None, None),
        ("٤٢٤٢٤٢٤٢٤٢٤٢٤٢٤٢", "12/34", "123", "incorrect_number", None),
        ("4242424242424242", "13/34", "123", "invalid_expiry_month", None),
        ("4242424242424242", "12/3", "123", "invalid_expiry_year", None),
        ("4242424242424242", "10/26", "123", "expired_card", None),
        ("4242424242424242", "12/25", "123", "invalid_expiry_year", None),
        ("4242424242424242", "12/34", "12", "invalid_cvc", None),
        ("378282246310005", "12/34", "123", "invalid_cvc", None),
        ("4000000000000069", "12/34", "123", "expired_card", None),
        ("4000000000000127", "12/34", "123", "incorrect_cvc", None),
        ("4000000000000119", "12/34", "123", "processing_error", None),
    ],
)
def test_everything_else_is_refused(
    ledger: Ledger, number: str, exp: str, cvc: str, code: str | None, decline: str | None
) -> None:
    with pytest.raises(GatewayError) as refused:
        type_card(ledger, number, exp, cvc)
    assert refusal(refused)[1:] == (code or "parameter_missing", decline)


@pytest.mark.clause("P11", "PCI DSS 3.3.1")
def test_no_number_and_no_code_reaches_the_database(ledger: Ledger, tmp_path: Path) -> None:
    for number, does in NUMBERS.items():
        try:
            type_card(ledger, number, cvc="7531" if does.brand == "amex" else "753")
        except GatewayError:
            assert does.setup
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"4242" in stored, "the last four digits are kept"
    for number in NUMBERS:
        assert number.encode() not in stored
    assert b'"753' not in stored


def test_money_is_taken_once_and_declines_take_none(ledger: Ledger) -> None:
    paid = intent(ledger)
    assert intents.confirm(ledger, params(), paid["id"])["amount_received"] == 1000
    with pytest.raises(GatewayError) as again:
        intents.confirm(ledger, params(), paid["id"])
    assert refusal(again)[:2] == (400, "payment_intent_unexpected_state")
    broke = intent(ledger, "4000000000009995")
    with pytest.raises(GatewayError) as declined:
        intents.confirm(ledger, params(), broke["id"])
    assert refusal(declined) == (402, "card_declined", "insufficient_funds")
    assert refunds.balance(ledger, params())["available"] == [{"amount": 1000, "currency": "sek"}]


def test_a_detached_card_cannot_be_charged(ledger: Ledger) -> None:
    made = intent(ledger)
    customers.detach(ledger, params(), made["payment_method"])
    with pytest.raises(GatewayError) as refused:
        intents.confirm(ledger, params(), made["id"])
    assert refusal(refused)[:2] == (400, "payment_method_unexpected_state")


def test_refunds_never_exceed_what_was_taken(ledger: Ledger) -> None:
    paid = intents.confirm(ledger, params(), intent(ledger)["id"])
    assert refunds.create(ledger, params(payment_intent=paid["id"], amount="600"))["amount"] == 600
    with pytest.raises(GatewayError) as more:
        refunds.create(ledger, params(payment_intent=paid["id"], amount="401"))
    assert refusal(more)[1] == "amount_too_large"
    assert refunds.create(ledger, params(payment_intent=paid["id"]))["amount"] == 400
    with pytest.raises(GatewayError) as none_left:
        refunds.create(ledger, params(payment_intent=paid["id"]))
    assert refusal(none_left)[1] == "charge_already_refunded"


@pytest.mark.parametrize(
    "fields,code",
    [
        ({"amount": "299"}, "amount_too_small"),
        ({"amount": "100000000"}, "amount_too_large"),
        ({"amount": "-1"}, "parameter_invalid_integer"),
        ({"currency": "zzz"}, "invalid_currency"),
        ({"customer": "cus_nobody"}, "resource_missing"),
        ({"payment_method": "pm_none"}, "resource_missing"),
        ({"colour": "red"}, "parameter_unknown"),
    ],
)
def test_bad_parameters_are_refused(ledger: Ledger, fields: dict[str, str], code: str) -> None:
    made = intent(ledger)
    good = {"amount": "1000", "currency": "sek", "customer": made["customer"], "payment_method": made["payment_method"]}
    with pytest.raises(GatewayError) as refused:
        intents.create(ledger, params(**{**good, **fields}))
    assert refusal(refused)[1] == code


def test_an_effect_and_its_answer_are_kept_together_or_not_at_all(ledger: Ledger) -> None:
    class DiedError(Exception):
        pass

    def story() -> None:
        with ledger.store.transaction():
            customers.create(ledger, params())
            ledger.store.keep_answer("k", "f", 200, {}, 0)
            raise DiedError

    with pytest.raises(DiedError):
        story()
    assert ledger.store.answer("k") is None
    assert list(ledger.store.newest("customer")) == []
