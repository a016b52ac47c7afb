"""Owns what the throttle file may say: how often, for each action. Must never allow what NIST 800-63B-4 forbids."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

DEFAULT = Path(__file__).with_name("throttle.toml")
MAX_CONSECUTIVE = 100
"""Failures in a row that an authenticator may ever have (NIST SP 800-63B-4 section 3.2.2)."""


class Action(StrEnum):
    """What is counted."""

    SIGN_IN = "sign_in"
    SIGN_UP = "sign_up"
    RECOVER = "recover"
    SECOND_FACTOR = "second_factor"
    MAIL = "mail"
    LINK = "link"


@dataclass(frozen=True)
class Limit:
    """So many in each window of so many seconds."""

    count: int
    seconds: int

    def __post_init__(self) -> None:
        if self.count < 1 or self.seconds < 1:
            raise ValueError("a limit is at least one in at least one second")


@dataclass(frozen=True)
class Consecutive:
    """Failures in a row after which an authenticator is refused: to strangers, and to the account's own devices."""

    strangers: int
    owners: int

    def __post_init__(self) -> None:
        if not 0 < self.strangers < self.owners < MAX_CONSECUTIVE:
            raise ValueError("0 < strangers < owners < 100")


@dataclass(frozen=True)
class Rule:
    """The limits of one action."""

    account: tuple[Limit, ...] = ()
    address: tuple[Limit, ...] = ()
    pair: tuple[Limit, ...] = ()
    total: tuple[Limit, ...] = ()
    device: tuple[Limit, ...] = ()
    """For the account's own devices, in place of all others."""
    consecutive: Consecutive | None = None

    def __post_init__(self) -> None:
        if not self.account:
            raise ValueError("every action has a limit per account")


@dataclass(frozen=True)
class Rules:
    """The whole file."""

    sign_in: Rule
    sign_up: Rule
    recover: Rule
    second_factor: Rule
    mail: Rule
    link: Rule

    def __post_init__(self) -> None:
        if self.sign_in.consecutive is None:
            raise ValueError("sign_in.consecutive is missing")
        if not all(rule.device for rule in (self.sign_in, self.recover, self.second_factor)):
            raise ValueError("sign_in, recover and second_factor have a limit per device")

    def of(self, action: Action) -> Rule:
        """Return the rule of an action."""
        rule: Rule = getattr(self, action.value)
        return rule
