"""Requests that no method may accept, made from the contracts: whatever is added to one is tried without being named.

A request is filled with what looks right and was never issued, then one field is made wrong.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from google.api import field_behavior_pb2
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from services.kit.policy import Method
from tests.support.person import PASSWORD

OVERSIZED = 70_000
"""Characters: more than any field of the contracts takes, less than the edge lets through."""
ISSUED = ("token", "challenge", "code", "state", "_id", "_json")
"""Parts of the names of what is good only when Valv has issued it."""
_TEXTS: dict[str, Callable[[], str]] = {
    "email": lambda: f"{secrets.token_hex(6)}@example.com",
    "password": lambda: PASSWORD,
    "locale": lambda: "en",
    "code": lambda: "123456",
    "json": lambda: "{}",
    "token": lambda: "vmt_" + secrets.token_urlsafe(32),
}
_HINTS = {"device_token"}
"""Fields that never admit anybody: a wrong one is as good as none, and is left out here."""
_PREFIXES = {"account_id": "usr", "session_id": "ses"}


@dataclass(frozen=True)
class Bad:
    """A request and what is wrong with it."""

    what: str
    request: Message


def bad_calls(method: Method) -> Iterator[Bad]:
    """Yield the bad requests of a method, each new when it is asked for."""
    fields = _fields(method)
    if any(_required(field) or field.name.endswith("_id") for field in fields):
        yield Bad("empty", method.input())
    if any(part in field.name for field in fields for part in ISSUED):
        yield Bad("never issued", plausible(method))
    for field in fields:
        for what, value in _wrong(field):
            request = plausible(method)
            _set(request, field, value)
            yield Bad(f"{field.name}: {what}", request)
        if _required(field):
            request = plausible(method)
            request.ClearField(field.name)
            yield Bad(f"{field.name}: missing", request)


def of_another(method: Method, ids: frozenset[str]) -> Iterator[Bad]:
    """Yield requests that name what belongs to somebody else."""
    for field in _fields(method):
        if field.name.endswith("_id"):
            for one in sorted(ids):
                request = plausible(method)
                _set(request, field, one)
                yield Bad(f"{field.name}: somebody else's {one[:3]}", request)


def plausible(method: Method) -> Message:
    """Return a request in which every field looks right."""
    request = method.input()
    for field in _fields(method):
        _set(request, field, _right(field))
    return request


def _fields(method: Method) -> list[FieldDescriptor]:
    listed = cast("Iterable[FieldDescriptor]", method.input.DESCRIPTOR.fields)
    return [field for field in listed if field.name not in _HINTS]


def _required(field: FieldDescriptor) -> bool:
    options: Any = field.GetOptions()
    return field_behavior_pb2.REQUIRED in options.Extensions[field_behavior_pb2.field_behavior]


def _right(field: FieldDescriptor) -> object:
    if field.type == FieldDescriptor.TYPE_STRING:
        if field.name.endswith("_id"):
            return _PREFIXES.get(field.name, field.name[:3]) + "_01jd9xk8w0q2m3n4p5r6s7t8v9"
        made = [make() for part, make in _TEXTS.items() if part in field.name]
        return made[0] if made else secrets.token_hex(8)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return secrets.token_bytes(8)
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        return int(time.time()) + 3600
    return 1


def _wrong(field: FieldDescriptor) -> list[tuple[str, object]]:
    if field.type == FieldDescriptor.TYPE_STRING:
        return [("oversized", "x" * OVERSIZED), ("control characters", "\0\x1b\r\n"), ("not an id", "../../x'--")]
    if field.type == FieldDescriptor.TYPE_BYTES:
        return [("oversized", b"x" * OVERSIZED)]
    if field.type == FieldDescriptor.TYPE_ENUM:
        return [("unknown", 99)]
    if field.type in (FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_INT64):
        return [("negative", -1)]
    return []


def _set(request: Message, field: FieldDescriptor, value: object) -> None:
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        if field.message_type is not None and field.message_type.full_name == "google.protobuf.Timestamp":
            getattr(request, field.name).seconds = value
    elif field.is_repeated:
        getattr(request, field.name).append(value)
    else:
        setattr(request, field.name, value)
