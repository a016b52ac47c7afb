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
