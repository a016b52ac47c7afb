"""Owns what the operations share: the store, the clock, and the reading of objects another one names."""

import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from itertools import islice
from typing import Any

from deploy.sandbox.psp import errors
from deploy.sandbox.psp.params import Params
from deploy.sandbox.psp.store import Object, Store, new_id
from services.kit.clock import Clock

MOST_METADATA = 50


class Ledger:
    """The gateway's objects."""

    def __init__(self, store: Store, clock: Clock) -> None:
        """Take the store and the clock."""
        self.store = store
        self._clock = clock
        self.fingerprint_key = store.setting("fingerprint_key", secrets.token_bytes(32))

    def now(self) -> int:
        """Return the time in whole seconds since 1970."""
        return int(self._clock.now().timestamp())

    def today(self) -> date:
        """Return the day in UTC."""
        return datetime.fromtimestamp(self.now(), UTC).date()

    def new(self, noun: str, prefix: str, params: Params) -> Object:
        """Begin an object with the fields that all have."""
        metadata = dict(params.group("metadata"))
        if len(metadata) > MOST_METADATA:
            raise errors.invalid("parameter_invalid", "Too much metadata.", param="metadata")
        return {
            "id": new_id(prefix),
            "object": noun,
            "created": self.now(),
            "livemode": False,
            "metadata": metadata,
        }

    def read(self, kind: str, object_id: str, *, param: str = "id") -> Object:
        """Read an object, or answer that there is none."""
        found = self.store.get(kind, object_id)
        if found is None:
            raise errors.missing(kind, param)
        return found

    def page(
        self, kind: str, params: Params, *, parent: str | None, match: Callable[[Object], bool] | None = None
    ) -> Object:
        """Answer a page of a list: `limit` and `starting_after`, newest first."""
        limit = params.number("limit", 10)
        if not 1 <= limit <= 100:  # noqa: PLR2004 - Stripe's bounds
            raise errors.invalid("parameter_invalid_integer", "Invalid limit.", param="limit")
        before = params.text("starting_after", "") or None
        if before is not None:
            self.read(kind, before, param="starting_after")
        found: Iterator[Any] = self.store.newest(kind, parent=parent, before=before)
        if match is not None:
            found = filter(match, found)
        rows = list(islice(found, limit + 1))
        return {"object": "list", "data": rows[:limit], "has_more": len(rows) > limit, "url": f"/v1/{kind}s"}
