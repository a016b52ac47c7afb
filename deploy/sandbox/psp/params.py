"""Owns the reading of Stripe's form-encoded parameters. Must never log or keep them."""

import hashlib
from collections.abc import Collection, Mapping
from urllib.parse import parse_qsl

from deploy.sandbox.psp import errors


class Params:
    """The parameters of one request, by their form names, such as `metadata[operation]`."""

    def __init__(self, encoded: str) -> None:
        """Decode a form body or a query string."""
        try:
            pairs = parse_qsl(encoded, keep_blank_values=True, strict_parsing=bool(encoded), max_num_fields=64)
        except ValueError:
            raise errors.invalid("parameter_invalid_string_blank", "The parameters could not be read.") from None
        self._values = dict(pairs)

    def only(self, *names: str) -> None:
        """Refuse every parameter that is not named. A name ending in `[]` allows any member of that group."""
        groups = {name[:-2] for name in names if name.endswith("[]")}
        for name in self._values:
            if name not in names and name.partition("[")[0] not in groups:
                raise errors.invalid("parameter_unknown", f"Received unknown parameter: {name[:40]}", param=name[:40])

    def text(self, name: str, default: str | None = None) -> str:
        """Read a text; without a default it is required."""
        value = self._values.get(name, default)
        if value is None or (value == "" and default is None):
            raise errors.invalid("parameter_missing", f"Missing required param: {name}.", param=name)
        return value

    def number(self, name: str, default: int | None = None) -> int:
        """Read a whole number, zero or more."""
        value = self.text(name, None if default is None else str(default))
        if not (value.isascii() and value.isdigit() and len(value) <= 12):  # noqa: PLR2004 - Stripe's largest amount
            raise errors.invalid("parameter_invalid_integer", f"Invalid integer: {name}.", param=name)
        return int(value)

    def choice(self, name: str, allowed: Collection[str], default: str) -> str:
        """Read one of a few texts."""
        value = self.text(name, default)
        if value not in allowed:
            raise errors.invalid("parameter_invalid", f"Invalid {name}.", param=name)
        return value

    def group(self, name: str) -> Mapping[str, str]:
        """Read the members of a group, such as `metadata`."""
        prefix = name + "["
        return {key[len(prefix) : -1]: value for key, value in self._values.items() if key.startswith(prefix)}

    def fingerprint(self, *more: str) -> str:
        """Digest the parameters, so that a key used with others is found. Only for parameters without card data."""
        digest = hashlib.sha256()
        for part in (*more, *(text for pair in sorted(self._values.items()) for text in pair)):
            encoded = part.encode()
            digest.update(len(encoded).to_bytes(4, "big") + encoded)
        return digest.hexdigest()
