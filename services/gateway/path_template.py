"""Owns the reading of google.api.http path templates for Envoy. Must never match more than the template says."""

from __future__ import annotations

import re
from dataclasses import dataclass

_VARIABLE = re.compile(r"\{(?P<name>[a-z][a-z0-9_]*)(?:=(?P<pattern>[^}]+))?\}")
_SEGMENT = "[^/:]+"
_REST = "[^:]+"


@dataclass(frozen=True)
class PathTemplate:
    """A parsed template; ``regex`` is None when it has no variables."""

    text: str
    regex: str | None
    variables: tuple[str, ...]

    @property
    def match(self) -> dict[str, object]:
        """The path part of an Envoy RouteMatch; the whole path (without query) must match."""
        if self.regex is None:
            return {"path": self.text}
        return {"safe_regex": {"regex": self.regex}}


def parse(text: str) -> PathTemplate:
    """Parse a template such as ``/v1/files/{file}/content`` or ``/log/tile/{path=**}``.

    Raises:
        ValueError: The template is none.
    """
    if not text.startswith("/") or "*" in _VARIABLE.sub("", text):
        raise ValueError("a path template begins with '/' and has wildcards in variables only")
    parts: list[str] = []
    names: list[str] = []
    position = 0
    for found in _VARIABLE.finditer(text):
        parts += [re.escape(text[position : found.start()]), _variable(found["pattern"] or "*")]
        names.append(found["name"])
        position = found.end()
    if any(brace in _VARIABLE.sub("", text) for brace in "{}"):
        raise ValueError("a path template's variables are {name} or {name=pattern}")
    regex = "".join([*parts, re.escape(text[position:])]) if names else None
    return PathTemplate(text, regex, tuple(names))


def _variable(pattern: str) -> str:
    wild = {"*": _SEGMENT, "**": _REST}
    return "/".join(wild.get(segment, re.escape(segment)) for segment in pattern.split("/"))
