"""The reasons the audit service refuses for, beside the kit's."""

from services.kit.faults import Code, Reason


class HaltError(Exception):
    """The log disagrees with what was signed. Only an operator can mend that; nothing is signed until then."""

    def __init__(self, reason: str) -> None:
        """Take the stable reason."""
        super().__init__(reason)
        self.reason = reason


AUDIT_GAP = Reason("AUDIT_GAP", Code.FAILED_PRECONDITION, "Records are missing before these. Send the next number.")
AUDIT_EPOCH = Reason("AUDIT_EPOCH", Code.FAILED_PRECONDITION, "The epoch does not follow the one the log holds.")
AUDIT_REUSED = Reason("AUDIT_REUSED", Code.ALREADY_EXISTS, "The log holds another record under this number or id.")
AUDIT_EVENT_REFUSED = Reason("AUDIT_EVENT_REFUSED", Code.INVALID_ARGUMENT, "An event does not fit the schema.")
LOG_HALTED = Reason("LOG_HALTED", Code.UNAVAILABLE, "The log does not agree with what it signed and takes no records.")
LOG_RECOVERING = Reason(
    "LOG_RECOVERING",
    Code.UNAVAILABLE,
    "The log regains what it lost in a restore. Send that again; wait with the rest.",
)
NOT_YET_PROVABLE = Reason(
    "NOT_YET_PROVABLE", Code.FAILED_PRECONDITION, "No signed checkpoint covers it yet. Try again shortly."
)
RECORDS_AWAY = Reason("RECORDS_AWAY", Code.UNAVAILABLE, "Older records cannot be fetched right now. Try again shortly.")
LOG_PRUNED = Reason("LOG_PRUNED", Code.NOT_FOUND, "The log does not serve entries this old any more.")
HOLD_RELEASED = Reason("HOLD_RELEASED", Code.FAILED_PRECONDITION, "The hold was released before.")
INDEX_INCOMPLETE = Reason(
    "INDEX_INCOMPLETE", Code.UNAVAILABLE, "Older events are still being indexed. Try again in a while."
)
