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
PASSWORD_WRONG = Reason("PASSWORD_WRONG", Code.INVALID_ARGUMENT, "The present password is not right.")
ERASURE_NOT_REQUESTED = Reason(
    "ERASURE_NOT_REQUESTED", Code.FAILED_PRECONDITION, "The erasure of this account was not asked for."
)
ERASURE_BEGUN = Reason(
    "ERASURE_BEGUN", Code.FAILED_PRECONDITION, "The erasure of this account has begun and cannot be taken back."
)
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
LINK_PROVIDER_NOT_FOUND = Reason("LINK_PROVIDER_NOT_FOUND", Code.NOT_FOUND, "This service cannot be linked.")
LINK_NOT_FOUND = Reason("LINK_NOT_FOUND", Code.NOT_FOUND, "There is no such link, or it is not yours, or too old.")
LINK_EXISTS = Reason("LINK_EXISTS", Code.ALREADY_EXISTS, "It is linked already. End that link first.")
LINK_PURPOSE_CHANGED = Reason(
    "LINK_PURPOSE_CHANGED", Code.FAILED_PRECONDITION, "This is not the purpose as it stands. Begin again and read it."
)
LINK_NOT_CONSENTED = Reason("LINK_NOT_CONSENTED", Code.FAILED_PRECONDITION, "Nobody has consented to the purpose yet.")
LINK_WRONG_FLOW = Reason("LINK_WRONG_FLOW", Code.FAILED_PRECONDITION, "This service is not linked in this way.")
LINK_BUSY = Reason("LINK_BUSY", Code.ABORTED, "Another call is using this link, or it has ended meanwhile.")
LINK_REFUSED = Reason(
    "LINK_REFUSED", Code.FAILED_PRECONDITION, "The other service did not accept it. Nothing was kept."
)
LINK_PROVIDER_UNAVAILABLE = Reason(
    "LINK_PROVIDER_UNAVAILABLE", Code.UNAVAILABLE, "The other service did not answer as it should. Nothing was kept."
)
LINK_PROVIDER_UNTRUSTED = Reason(
    "LINK_PROVIDER_UNTRUSTED", Code.UNAVAILABLE, "The other service could not prove who it is. Nothing was sent to it."
)
LINK_STATE_NOT_VALID = Reason(
    "LINK_STATE_NOT_VALID", Code.INVALID_ARGUMENT, "This return is not valid: used, too old, or begun elsewhere."
)
LINK_USE_NOT_CONSENTED = Reason(
    "LINK_USE_NOT_CONSENTED", Code.PERMISSION_DENIED, "The customer has not consented to this use."
)
LINK_HAS_NO_TOKEN = Reason("LINK_HAS_NO_TOKEN", Code.FAILED_PRECONDITION, "The link is a proof: it has no token.")
LINK_LOST = Reason("LINK_LOST", Code.FAILED_PRECONDITION, "The other service has ended the link. Make it again.")
