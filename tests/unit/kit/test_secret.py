"""A secret does not show itself."""

from __future__ import annotations

import copy
import json
import pickle

import pytest

from services.kit.secret import Secret

VALUE = "correct horse"


@pytest.mark.clause("P6", "ASVS 16.2.5")
def test_no_way_of_printing_shows_it() -> None:
    secret = Secret(VALUE)
    shown = [str(secret), repr(secret), f"{secret}", f"{secret!r:>40}", f"{secret:>30}", "%s" % secret, repr([secret])]  # noqa: UP031 - one of the ways
    assert not any("horse" in text for text in shown)
    with pytest.raises(TypeError):
        json.dumps(secret)
    assert not hasattr(secret, "__dict__")


def test_it_is_neither_pickled_copied_compared_nor_hashed() -> None:
    secret = Secret(VALUE)
    for use in (pickle.dumps, copy.copy, copy.deepcopy, hash, lambda one: one == Secret(VALUE)):
        with pytest.raises(TypeError):
            use(secret)


def test_it_gives_its_value_by_name_only() -> None:
    assert Secret(VALUE).text() == VALUE
    assert Secret(VALUE.encode()).reveal() == VALUE.encode()
    assert Secret(VALUE).matches(VALUE.encode())
    assert not Secret(VALUE).matches(b"battery")


def test_a_wiped_secret_is_gone() -> None:
    secret = Secret(VALUE)
    secret.wipe()
    assert not secret.matches(b"")
    with pytest.raises(ValueError, match="wiped"):
        secret.reveal()


def test_an_error_does_not_hold_the_value() -> None:
    with pytest.raises(ValueError, match="not text") as caught:
        Secret(b"\xff\xfe marker").text()
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert "marker" not in str(caught.value)
