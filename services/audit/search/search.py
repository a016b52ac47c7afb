"""The operators' search: any event that can still be opened, found by what it says.

Owns the size of a page and whose events a page shows, so that each of those customers can be told. Writes nothing.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.audit.activity import Heads, Shown, shown_of
from services.audit.search.finder import Finder
from services.audit.search.paging import Tokens
from services.audit.search.store import Count
from services.audit.search.terms import Terms
from services.kit.faults import INVALID_ARGUMENT, Fault

DEFAULT_PAGE = 50
MAX_PAGE = 100


class Keys(Protocol):
    """The keys database."""

    async def get_or_create(self, owner: str) -> bytes:
        """Return the owner's key, made at first use."""


@dataclass(frozen=True, slots=True)
class Result:
    """A page of what was found."""

    shown: Sequence[Shown]
    next_token: str
    customers: Mapping[str, int]
    """Whose events they are, and how many of each."""
    count: Count | None
    """On the first page."""


class Search:
    """Finds events for operators."""

    def __init__(self, finder: Finder, keys: Keys, heads: Heads) -> None:
        """Take what finds and opens events, what seals page tokens, and the latest signed checkpoint."""
        self._finder, self._tokens, self._heads = finder, Tokens(keys), heads

    async def page(self, operator: str, terms: Terms, size: int, token: str) -> Result:
        """Return a page of the events that answer.

        Raises:
            Fault: INVALID_ARGUMENT: no such page size, or not a token of this operator's for this question.
                INDEX_INCOMPLETE.
        """
        if not 0 <= size <= MAX_PAGE:
            raise Fault(INVALID_ARGUMENT, field="page_size")
        bound = ("search", operator, *terms.bound)
        before = await self._tokens.read(token, *bound)
        found = await self._finder.find(terms, before, size or DEFAULT_PAGE)
        latest = await self._heads.latest()
        signed = latest[1].size if latest is not None else 0
        return Result(
            shown=[shown_of(one, signed) for one in found.opened],
            next_token=await self._tokens.make(found.resume, *bound),
            customers=Counter(one.kept.subject for one in found.opened if one.kept.subject),
            count=await self._finder.count(terms) if before is None else None,
        )
