"""Owns the reasons only auth refuses with. Their texts are constants; none says whether an account exists."""

from __future__ import annotations

from services.kit.faults import Code, Reason

BAD_CREDENTIALS = Reason("BAD_CREDENTIALS", Code.UNAUTHENTICATED, "The e-mail address or the password is not right.")
THROTTLED = Reason("THROTTLED", Code.RESOURCE_EXHAUSTED, "Too many attempts. Wait a little before the next one.")
EMAIL_NOT_VALID = Reason("EMAIL_NOT_VALID", Code.INVALID_ARGUMENT, "This is not an e-mail address.")
PASSWORD_TOO_SHORT = Reason(
    "PASSWORD_TOO_SHORT",
    Code.INVALID_ARGUMENT,
    "The password is too short: 15 characters by itself, 8 beside a second factor.",
)
PASSWORD_TOO_LONG = Reason("PASSWORD_TOO_LONG", Code.INVALID_ARGUMENT, "The password has more than 256 characters.")
PASSWORD_COMMON = Reason(
    "PASSWORD_COMMON",
    Code.INVALID_ARGUMENT,
    "The password is a common one or a simple pattern, and so among the first guesses.",
)
PASSWORD_CONTEXT = Reason(
    "PASSWORD_CONTEXT",
    Code.INVALID_ARGUMENT,
    "The password is little more than your address or the name of this service.",
)
PASSWORD_GUESSABLE = Reason(
    "PASSWORD_GUESSABLE",
    Code.INVALID_ARGUMENT,
    "The password is quickly guessed: it is made of common words, names, dates, patterns or repetitions.",
)
PASSWORD_BREACHED = Reason(
    "PASSWORD_BREACHED",
    Code.INVALID_ARGUMENT,
    "The password has been in a breach of another service: it is tried first.",
)
LOCALE_NOT_SUPPORTED = Reason("LOCALE_NOT_SUPPORTED", Code.INVALID_ARGUMENT, "There are no mails in this language.")
TOKEN_NOT_VALID = Reason("TOKEN_NOT_VALID", Code.INVALID_ARGUMENT, "The link is not valid: used, too old or not whole.")
CHALLENGE_NOT_VALID = Reason(
    "CHALLENGE_NOT_VALID",
    Code.INVALID_ARGUMENT,
    "The challenge is not valid: answered, too old, or tried too often. Begin again.",
)
SECOND_FACTOR_NOT_VALID = Reason(
    "SECOND_FACTOR_NOT_VALID", Code.UNAUTHENTICATED, "The code or the passkey is not right, or was used before."
)
CODE_NOT_VALID = Reason("CODE_NOT_VALID", Code.INVALID_ARGUMENT, "The code is not the one that the app shows now.")
PASSKEY_NOT_VALID = Reason(
    "PASSKEY_NOT_VALID", Code.INVALID_ARGUMENT, "The passkey was not made for this, or cannot be used here."
)
TOTP_NOT_BEGUN = Reason(
    "TOTP_NOT_BEGUN", Code.FAILED_PRECONDITION, "No authenticator app waits for its first code. Begin again."
)
FACTOR_NOT_FOUND = Reason("FACTOR_NOT_FOUND", Code.NOT_FOUND, "The account has no such factor.")
TOO_MANY_PASSKEYS = Reason("TOO_MANY_PASSKEYS", Code.FAILED_PRECONDITION, "An account has 20 passkeys at most.")
PASSKEY_REQUIRED = Reason(
    "PASSKEY_REQUIRED", Code.FAILED_PRECONDITION, "This needs a passkey that verifies its user by itself."
)
PASSWORD_REQUIRED = Reason(
    "PASSWORD_REQUIRED", Code.FAILED_PRECONDITION, "This needs a password, of 15 characters or more if it is a new one."
)
