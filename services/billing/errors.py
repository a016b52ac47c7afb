"""Owns billing's reasons: what a client can be told beyond the kit's own."""

from services.kit.faults import Code, Reason

IDEMPOTENCY_MISMATCH = Reason(
    "IDEMPOTENCY_MISMATCH",
    Code.INVALID_ARGUMENT,
    "This idempotency key was used before, for something else. Use a new one.",
)
OPERATION_IN_PROGRESS = Reason(
    "OPERATION_IN_PROGRESS", Code.ABORTED, "A call with this idempotency key is under way. Ask again shortly."
)
GATEWAY_UNAVAILABLE = Reason(
    "GATEWAY_UNAVAILABLE", Code.UNAVAILABLE, "The payment gateway did not answer. Try again shortly."
)
CARD_SETUP_UNFINISHED = Reason(
    "CARD_SETUP_UNFINISHED",
    Code.FAILED_PRECONDITION,
    "The payment gateway has no card for this set-up yet. Finish the card fields first.",
)
CARD_REMOVAL_PENDING = Reason(
    "CARD_REMOVAL_PENDING",
    Code.UNAVAILABLE,
    "The card can no longer be charged. The payment gateway will be told as soon as it answers.",
)
TOO_MANY_CARDS = Reason("TOO_MANY_CARDS", Code.FAILED_PRECONDITION, "At most 20 cards. Remove one first.")
CARD_NOT_FOUND = Reason("CARD_NOT_FOUND", Code.NOT_FOUND, "The customer has no such card.")
CHARGE_NOT_FOUND = Reason("CHARGE_NOT_FOUND", Code.NOT_FOUND, "There is no such charge, or it is not yours.")
CHARGE_NOT_REFUNDABLE = Reason(
    "CHARGE_NOT_REFUNDABLE", Code.FAILED_PRECONDITION, "The charge took no money, so there is nothing to give back."
)
REFUND_EXCEEDS_CHARGE = Reason(
    "REFUND_EXCEEDS_CHARGE", Code.FAILED_PRECONDITION, "Refunds may not exceed what is left of the charge."
)
