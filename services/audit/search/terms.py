"""What events are looked for by: the fields of a filter, and whether an event answers it.

Owns the meaning of each field. Knows neither the index nor the wire.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from services.kit.clock import milliseconds
from services.kit.event import Event


@dataclass(frozen=True, slots=True)
class Terms:
    """A filter: an event answers it when it answers every field that is given."""

    subject: str = ""
    actor: str = ""
    """Id of who did it: a customer's, an operator's name or a service's role."""
    kind: str = ""
    """What kind of actor did it."""
    action: str = ""
    area: str = ""
    """The part of the product that an action belongs to, such as "files"."""
    object: str = ""
    """Id of what it was done to; its kind, when it has no id."""
    outcome: str = ""
    since: datetime | None = None
    """Not before."""
    until: datetime | None = None
    """Before."""

    @property
    def words(self) -> dict[str, str]:
        """The fields that are given, but for times."""
        return {name: word for name in FIELDS if (word := getattr(self, name))}

    @property
    def names(self) -> list[str]:
        """The names of the fields that are given, in alphabetical order."""
        return sorted([*self.words, *(["time"] if self.since or self.until else [])])

    @property
    def bound(self) -> tuple[str, ...]:
        """All fields as texts: what a page token is bound to."""
        times = [time.isoformat() if time else "" for time in (self.since, self.until)]
        return (*(getattr(self, name) for name in FIELDS), *times)

    def answered_by(self, event: Event) -> bool:
        """Tell whether the event answers the filter."""
        said = words_of(event)
        if any(said.get(name) != word for name, word in self.words.items()):
            return False
        time = milliseconds(event.time)
        early = self.since is not None and time < milliseconds(self.since)
        return not early and (self.until is None or time < milliseconds(self.until))


FIELDS = ("subject", "actor", "kind", "action", "area", "object", "outcome")


def words_of(event: Event) -> Mapping[str, str]:
    """Return what an event says in each field; a field it says nothing in is left out."""
    said = {
        "subject": event.subject,
        "actor": event.actor.id,
        "kind": event.actor.kind.value,
        "action": event.action,
        "area": area_of(event.action),
        "object": (event.target.id or event.target.kind) if event.target else "",
        "outcome": event.outcome.value,
    }
    return {name: word for name, word in said.items() if word}


def area_of(action: str) -> str:
    """Return the area of an action; a method that declares no action is in the area of its package."""
    return action.removeprefix("/valv.").partition(".")[0]
