"""What stands in the index in place of words."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from services.audit.search.tags import Tagger
from services.audit.search.terms import FIELDS, Terms, area_of, words_of
from services.kit.clock import milliseconds
from tests.unit.audit.test_event import FULL

KEY = bytes(range(32))


def terms(words: Mapping[str, str]) -> Terms:
    return Terms(**words)  # type: ignore[arg-type]  # none of them is a time


def test_a_tag_is_eight_bytes_of_a_keyed_hash_of_the_fields_own() -> None:
    key = HKDFExpand(SHA256(), 32, b"valv/audit/index/v1/action").derive(KEY)
    expected = int.from_bytes(hmac.digest(key, FULL.action.encode(), "sha256")[:8], signed=True)
    assert Tagger(KEY).of(FULL).words["action"] == expected
    assert Tagger(KEY).of(FULL).time_ms == milliseconds(FULL.time)


@pytest.mark.clause("P5")
def test_one_word_has_another_tag_in_another_field_and_under_another_key() -> None:
    word = "files"
    made = Tagger(KEY).wanted(terms(dict.fromkeys(FIELDS, word)))
    other = Tagger(bytes(32)).wanted(terms(dict.fromkeys(FIELDS, word)))
    assert len(set(made.values()) | set(other.values())) == 2 * len(FIELDS)


def test_what_an_event_says_is_what_it_is_found_by() -> None:
    words = words_of(FULL)
    assert terms(words).answered_by(FULL)
    for name in words:
        assert not terms({**words, name: "other"}).answered_by(FULL)
    assert Terms(since=FULL.time).answered_by(FULL)
    assert not Terms(until=FULL.time).answered_by(FULL)


def test_the_area_of_an_action_is_its_first_part() -> None:
    assert [area_of(action) for action in ("files.file.list", "/valv.auth.v1.X/Y", "practice.check")] == [
        "files",
        "auth",
        "practice",
    ]
