"""The rows of a download: what a spreadsheet and a program read back."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.audit.activity import Shown
from services.audit.event import Source, canonical
from services.audit.search import rows
from services.kit.event import Event
from tests.unit.audit.test_event import FULL, PLAIN

SOURCE = Source("files", "epo_01jd9xk8w0q2m3n4p5r6s7t8v9", 7)


def shown(event: Event, index: int) -> Shown:
    return Shown(event, SOURCE, index, provable=True, leaf_hash=bytes([index]) * 32)


def test_each_line_of_json_is_an_event_with_its_place_in_the_log() -> None:
    text = rows.jsonl([shown(FULL, 4), shown(PLAIN, 3)], [b"c2sp.org/tlog-proof@v1\n", b""])
    first, second = [json.loads(line) for line in text.decode("ascii").splitlines()]
    assert first == {
        "index": 4,
        "event_id": FULL.id,
        "leaf_hash": "04" * 32,
        "event": json.loads(canonical(FULL, SOURCE)),
        "receipt": "c2sp.org/tlog-proof@v1\n",
    }
    assert "receipt" not in second
    assert rows.jsonl([]) == b""


def test_a_spreadsheet_reads_what_the_event_says() -> None:
    text = rows.csv_rows([shown(FULL, 4), shown(PLAIN, 3)], header=True).decode()
    assert text.endswith("\r\n")
    header, full, plain = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert tuple(header) == rows.COLUMNS
    said = dict(zip(header, full, strict=True))
    assert (said["index"], said["event_id"], said["leaf_hash"]) == ("4", FULL.id, "04" * 32)
    assert (said["action"], said["outcome"]) == (FULL.action, FULL.outcome.value)
    assert said["time"].endswith("Z")
    assert dict(zip(header, plain, strict=True))["address"] == ""
    assert rows.csv_rows([], header=False) == b""


@pytest.mark.clause("ASVS 1.2.10")
@given(st.text())
def test_no_cell_is_a_formula_and_none_is_lost(value: str) -> None:
    made = rows.cell(value)
    assert not made.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "\0"))
    assert made.removeprefix("'") == value.removeprefix("'") or made == f"'{value}"


@pytest.mark.clause("ASVS 1.2.10")
@pytest.mark.parametrize("value", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", '=HYPERLINK("x")'])
def test_what_a_spreadsheet_would_run_is_text(value: str) -> None:
    assert rows.cell(value) == f"'{value}"
