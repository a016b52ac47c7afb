"""Owns conditional and range requests of RFC 9110: which bytes of a file an answer carries. Pure.

One range is served; several, an unknown unit, or a Range whose If-Range does not hold, get the whole file, as the
standard allows. A range that is malformed or lies outside the file is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus

from services.files.errors import RANGE_NOT_SATISFIABLE
from services.kit.faults import Fault

_RANGE = re.compile(r"(\d{0,19})-(\d{0,19})")
_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')


@dataclass(frozen=True)
class Selection:
    """What an answer carries: its status and the bytes ``start <= i < stop``."""

    status: HTTPStatus
    start: int
    stop: int


def select(size: int, tag: str, *, wanted: str | None, if_none_match: str | None, if_range: str | None) -> Selection:
    """Choose the bytes for a GET, from the file's size, its quoted entity tag, and the request's headers.

    Raises:
        Fault: RANGE_NOT_SATISFIABLE.
    """
    if if_none_match is not None and (if_none_match.strip() == "*" or tag in _TAG.findall(if_none_match)):
        return Selection(HTTPStatus.NOT_MODIFIED, 0, 0)
    whole = Selection(HTTPStatus.OK, 0, size)
    if wanted is None or (if_range is not None and if_range.strip() != tag):
        return whole
    unit, equals, ranges = wanted.partition("=")
    if unit.strip().lower() != "bytes" or not equals or "," in ranges:
        return whole
    found = _RANGE.fullmatch(ranges.strip())
    if found is None or not (found[1] or found[2]):
        raise Fault(RANGE_NOT_SATISFIABLE)
    return _part(size, found[1], found[2]) if size or found[1] else whole


def _part(size: int, first: str, last: str) -> Selection:
    if not first:
        start, stop = max(size - int(last), 0), size
    else:
        start, stop = int(first), min(int(last) + 1, size) if last else size
    if start >= size or start >= stop or (first and last and int(last) < int(first)):
        raise Fault(RANGE_NOT_SATISFIABLE)
    return Selection(HTTPStatus.PARTIAL_CONTENT, start, stop)
