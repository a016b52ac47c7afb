"""Owns the printing of messages for people. The only way a message may be shown: ``str()`` of one ignores redaction."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

REDACTED = "[redacted]"


def printed(message: Message) -> str:
    """Return ``Type{field: value, ...}``: secrets (``debug_redact``) hidden, bytes as their length, text quoted."""
    return f"{message.DESCRIPTOR.name}{{{', '.join(_fields(message))}}}"


def _fields(message: Message) -> Iterator[str]:
    for field, value in message.ListFields():
        if field.GetOptions().debug_redact:
            yield f"{field.name}: {REDACTED}"
        elif field.message_type is not None and field.message_type.GetOptions().map_entry:
            inner = field.message_type.fields_by_name["value"]
            pairs = (f"{key!r}: {_value(inner, item)}" for key, item in value.items())
            yield f"{field.name}: {{{', '.join(pairs)}}}"
        elif field.is_repeated:
            yield f"{field.name}: [{', '.join(_value(field, item) for item in value)}]"
        else:
            yield f"{field.name}: {_value(field, value)}"


def _value(field: FieldDescriptor, value: Any) -> str:
    if isinstance(value, Message):
        return printed(value)
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(value)
        return known.name if known is not None else str(value)
    return repr(value)
