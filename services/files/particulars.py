"""Owns what a customer says about a file: its display name and media type. Stored only sealed, never used as a path."""

from __future__ import annotations

import re
import struct
import unicodedata
from dataclasses import dataclass
from email.message import Message

from services.files.cobblestone import DamagedError
from services.kit.faults import INVALID_ARGUMENT, Fault

MAX_NAME = 255
UNKNOWN_TYPE = "application/octet-stream"
_FORMAT = 1
_HEAD = struct.Struct(">BHH")
_TOKEN = r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,127}"  # noqa: S105 - a token of RFC 9110 5.6.2
_NO_PATH = str.maketrans("/\\", "__")
_MEDIA_TYPE = re.compile(rf"({_TOKEN}/{_TOKEN})\s*(;.*)?")


@dataclass(frozen=True)
class Particulars:
    """A display name and a media type."""

    display_name: str
    media_type: str

    @classmethod
    def parse(cls, display_name: str, content_type: str) -> Particulars:
        """Check a name (1 to 255 code points, no control characters) and take the type of a Content-Type header.

        Raises:
            Fault: INVALID_ARGUMENT, the name is not valid.
        """
        bad = any(unicodedata.category(character) in ("Cc", "Cs") for character in display_name)
        if bad or not 1 <= len(display_name) <= MAX_NAME:
            raise Fault(INVALID_ARGUMENT, field="display_name")
        found = _MEDIA_TYPE.fullmatch(content_type.strip())
        return cls(display_name, found[1].lower() if found else UNKNOWN_TYPE)

    @property
    def disposition(self) -> str:
        """The Content-Disposition under which the file is served: an attachment, no path (RFC 6266 section 4.3)."""
        header = Message()
        name = self.display_name.translate(_NO_PATH)
        header.add_header("Content-Disposition", "attachment", filename=name if name.isascii() else ("utf-8", "", name))
        return str(header["Content-Disposition"])

    def encode(self) -> bytes:
        """Return the encoding: version, the two lengths, name, type."""
        name, media_type = self.display_name.encode(), self.media_type.encode()
        return _HEAD.pack(_FORMAT, len(name), len(media_type)) + name + media_type

    @classmethod
    def decode(cls, data: bytes) -> Particulars:
        """Read an encoding.

        Raises:
            DamagedError: It is not a whole encoding of a known version.
        """
        if len(data) < _HEAD.size:
            raise DamagedError
        version, name, media_type = _HEAD.unpack_from(data)
        if version != _FORMAT or len(data) != _HEAD.size + name + media_type:
            raise DamagedError
        text = data[_HEAD.size :]
        return cls(text[:name].decode(), text[name:].decode())
