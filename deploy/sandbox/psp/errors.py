"""Owns the gateway's errors, in Stripe's shape. Must never contain a card number.

Shape and codes: https://docs.stripe.com/api/errors and https://docs.stripe.com/error-codes.
"""

from collections.abc import Mapping
from typing import Any

_MESSAGES = {
    "card_declined": "Your card was declined.",
    "expired_card": "Your card has expired.",
    "incorrect_cvc": "Your card's security code is incorrect.",
    "incorrect_number": "Your card number is incorrect.",
    "invalid_cvc": "Your card's security code is invalid.",
    "invalid_expiry_month": "Your card's expiration month is invalid.",
    "invalid_expiry_year": "Your card's expiration year is invalid.",
    "processing_error": "An error occurred while processing your card. Try again in a little bit.",
}


class GatewayError(Exception):
    """An answer other than success: an HTTP status and Stripe's error object."""

    def __init__(self, status: int, error: Mapping[str, Any], *, kept: bool = True) -> None:
        """Keep the answer; `kept` says whether a repeated idempotency key gets it again."""
        super().__init__(error.get("code") or error["type"])
        self.status = status
        self.body: dict[str, Any] = {"error": {key: value for key, value in error.items() if value is not None}}
        self.kept = kept


def invalid(code: str, message: str, *, param: str | None = None) -> GatewayError:
    """A request that could never succeed (400). Not kept: a corrected one may use the same key."""
    error = {"type": "invalid_request_error", "code": code, "message": message, "param": param}
    return GatewayError(400, error, kept=False)


def unexpected_state(code: str, message: str, **objects: Mapping[str, Any]) -> GatewayError:
    """An object is not in a state that allows this (400)."""
    return GatewayError(400, {"type": "invalid_request_error", "code": code, "message": message, **objects})


def missing(noun: str, param: str = "id") -> GatewayError:
    """There is no such object (404)."""
    error = {
        "type": "invalid_request_error",
        "code": "resource_missing",
        "message": f"No such {noun}.",
        "param": param,
    }
    return GatewayError(404, error, kept=False)


def card(code: str, *, decline_code: str | None = None, **objects: Any) -> GatewayError:
    """The card was refused (402)."""
    error = {"type": "card_error", "code": code, "decline_code": decline_code, "message": _MESSAGES[code], **objects}
    return GatewayError(402, error)


def unauthorized() -> GatewayError:
    """No valid key came with the request (401)."""
    error = {"type": "invalid_request_error", "message": "Invalid API key provided."}
    return GatewayError(401, error, kept=False)


def key_reused() -> GatewayError:
    """The idempotency key was used with other parameters (400)."""
    message = "Keys for idempotent requests can only be used with the same parameters they were first used with."
    return GatewayError(400, {"type": "idempotency_error", "message": message}, kept=False)


def key_in_use() -> GatewayError:
    """A request with this idempotency key is under way (409)."""
    message = "There is currently another in-progress request using this idempotent key."
    error = {"type": "idempotency_error", "code": "idempotency_key_in_use", "message": message}
    return GatewayError(409, error, kept=False)


def lock_timeout() -> GatewayError:
    """The object is being worked on elsewhere (409)."""
    error = {"type": "invalid_request_error", "code": "lock_timeout", "message": "This object cannot be accessed now."}
    return GatewayError(409, error, kept=False)


def rate_limited() -> GatewayError:
    """Too many requests (429); comes before idempotency and is never kept."""
    error = {"type": "invalid_request_error", "code": "rate_limit", "message": "Too many requests."}
    return GatewayError(429, error, kept=False)


def internal() -> GatewayError:
    """The gateway failed (500); the caller cannot know whether the request took effect."""
    error = {"type": "api_error", "message": "Sorry, something went wrong on the sandbox gateway's end."}
    return GatewayError(500, error, kept=False)
