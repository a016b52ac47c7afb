"""Owns how a file looks to its owner: the contract's message, its JSON, its entity tag."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.kit.clock import from_milliseconds
from valv.files.v1 import file_pb2

if TYPE_CHECKING:
    from services.files.library import File


def entity_tag(etag: str) -> str:
    """Return the quoted entity tag: random, so it says nothing about the content."""
    return f'"{etag}"'


def message(file: File) -> file_pb2.File:
    """Return the file as the contract describes it."""
    stored = file.stored
    made = file_pb2.File(
        file_id=stored.ref.file,
        display_name=file.particulars.display_name,
        media_type=file.particulars.media_type,
        size=stored.size,
        etag=entity_tag(stored.etag),
    )
    made.create_time.FromDatetime(from_milliseconds(stored.created_ms))
    return made
