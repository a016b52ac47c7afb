"""Owns the typed faults: the only way a call is refused. Must never carry what an exception says to a peer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Code(IntEnum):
    """Status codes (google.rpc.Code)."""

    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


@dataclass(frozen=True)
class Reason:
    """A stable reason: its name is what clients switch on, its message the constant text they see."""

    name: str
    code: Code
    message: str


class Fault(Exception):  # noqa: N818 - a refusal is not an error of ours
    """A typed refusal."""

    def __init__(self, reason: Reason, *, field: str | None = None, retry_after: float | None = None) -> None:
        """Take the reason, the request field at fault, and after how many seconds to try again."""
        super().__init__(reason.name)
        self.reason = reason
        self.field = field
        self.retry_after = retry_after


INVALID_ARGUMENT = Reason("INVALID_ARGUMENT", Code.INVALID_ARGUMENT, "A field of the request is not valid.")
UNAUTHENTICATED = Reason("UNAUTHENTICATED", Code.UNAUTHENTICATED, "Sign in first.")
SESSION_ENDED = Reason("SESSION_ENDED", Code.UNAUTHENTICATED, "The session has ended. Sign in again.")
REAUTHENTICATE = Reason("REAUTHENTICATE", Code.UNAUTHENTICATED, "This needs a more recent sign-in.")
PERMISSION_DENIED = Reason("PERMISSION_DENIED", Code.PERMISSION_DENIED, "The caller may not do this.")
NOT_FOUND = Reason("NOT_FOUND", Code.NOT_FOUND, "There is no such thing, or it is not yours.")
ALREADY_EXISTS = Reason("ALREADY_EXISTS", Code.ALREADY_EXISTS, "It exists already.")
OVERLOADED = Reason("OVERLOADED", Code.UNAVAILABLE, "Too much work at once. Try again shortly.")
UNAVAILABLE = Reason("UNAVAILABLE", Code.UNAVAILABLE, "A part this needs is away. Try again shortly.")
AUDIT_UNAVAILABLE = Reason("AUDIT_UNAVAILABLE", Code.UNAVAILABLE, "It could not be recorded, so it was not done.")
REVOCATION_UNKNOWN = Reason("REVOCATION_UNKNOWN", Code.UNAVAILABLE, "Sessions cannot be checked right now.")
CARD_NUMBER_REFUSED = Reason(
    "CARD_NUMBER_REFUSED", Code.INVALID_ARGUMENT, "The request held a card number. It was refused and not kept."
)
IDEMPOTENCY_KEY_REQUIRED = Reason(
    "IDEMPOTENCY_KEY_REQUIRED", Code.INVALID_ARGUMENT, "An idempotency key of 1 to 255 characters is required."
)
DEADLINE_EXCEEDED = Reason("DEADLINE_EXCEEDED", Code.DEADLINE_EXCEEDED, "It took too long.")
INTERNAL = Reason("INTERNAL", Code.INTERNAL, "Something went wrong on our side. It has been noted.")
