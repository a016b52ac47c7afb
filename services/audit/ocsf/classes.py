"""What each action is in OCSF 1.8.0: its class and activity.

Owns the table of actions; a test compares it with every action that the contracts and services can record. Must stay
data: what an event of a class says is made in `projection`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

OTHER = 99
_UNKNOWN = 0


class Class(Enum):
    """An OCSF class: its uid, caption, and its category's uid and caption."""

    LOG = (1008, "Event Log Activity", 1, "System Activity")
    FINDING = (2003, "Compliance Finding", 2, "Findings")
    ACCOUNT = (3001, "Account Change", 3, "Identity & Access Management")
    AUTHENTICATION = (3002, "Authentication", 3, "Identity & Access Management")
    AUTHORIZATION = (3003, "Authorize Session", 3, "Identity & Access Management")
    APPLICATION = (6002, "Application Lifecycle", 6, "Application Activity")
    API = (6003, "API Activity", 6, "Application Activity")
    FILE = (6006, "File Hosting Activity", 6, "Application Activity")


_CAPTIONS: Mapping[Class, Mapping[int, str]] = {
    Class.LOG: {2: "Delete", 3: "Export", 4: "Archive", 6: "Start", 7: "Stop"},
    Class.FINDING: {1: "Create", 3: "Close"},
    Class.ACCOUNT: {
        1: "Create",
        2: "Enable",
        3: "Password Change",
        4: "Password Reset",
        5: "Disable",
        6: "Delete",
        10: "MFA Factor Enable",
        11: "MFA Factor Disable",
    },
    Class.AUTHENTICATION: {1: "Logon", 2: "Logoff", 6: "Preauth"},
    Class.AUTHORIZATION: {1: "Assign Privileges"},
    Class.APPLICATION: {8: "Update"},
    Class.API: {0: "Unknown", 1: "Create", 2: "Read", 3: "Update", 4: "Delete"},
    Class.FILE: {1: "Upload", 2: "Download", 4: "Delete"},
}


@dataclass(frozen=True, slots=True)
class Meaning:
    """A class, an activity of it, and the activity's caption where the class has none (activity 99)."""

    kind: Class
    activity: int
    other: str = ""

    @property
    def caption(self) -> str:
        """The activity's name."""
        return self.other or _CAPTIONS[self.kind][self.activity]


def _all(kind: Class, activity: int, *actions: str) -> dict[str, Meaning]:
    return {action: Meaning(kind, activity) for action in actions}


def _other(kind: Class, captions: Mapping[str, str]) -> dict[str, Meaning]:
    """Return activities that the class has no number for."""
    return {action: Meaning(kind, OTHER, caption) for action, caption in captions.items()}


_SIGN_IN: Mapping[str, Meaning] = {
    **_all(Class.AUTHENTICATION, 1, "auth.session.open", "auth.session.continue"),
    **_all(
        Class.AUTHENTICATION,
        2,
        "auth.session.close",
        "auth.session.end",
        "auth.session.end_others",
        "auth.session.end_all",
        "auth.session.supersede",
        "auth.operator.end_sessions",
    ),
    **_all(Class.AUTHENTICATION, 6, "auth.session.challenge"),
    **_other(
        Class.AUTHENTICATION,
        {
            "auth.session.reauthenticate": "Reauthenticate",
            "auth.session.extend": "Extend",
        },
    ),
    **_all(Class.AUTHORIZATION, 1, "auth.operator.certificate"),
}
_ACCOUNT: Mapping[str, Meaning] = {
    **_all(Class.ACCOUNT, 1, "auth.account.sign_up"),
    **_all(Class.ACCOUNT, 2, "auth.operator.enable"),
    **_all(Class.ACCOUNT, 3, "auth.password.change"),
    **_all(Class.ACCOUNT, 4, "auth.password.reset"),
    **_all(Class.ACCOUNT, 5, "auth.operator.disable"),
    **_all(
        Class.ACCOUNT,
        6,
        "auth.erasure.end",
        "audit.account.erase",
        "billing.account.erase",
        "billing.account.release",
        "files.account.erase",
    ),
    **_all(Class.ACCOUNT, 10, "auth.totp.confirm", "auth.passkey.confirm", "auth.recovery_codes.generate"),
    **_all(Class.ACCOUNT, 11, "auth.totp.remove", "auth.passkey.remove"),
    **_other(
        Class.ACCOUNT,
        {
            "auth.account.recover": "Recovery Request",
            "auth.account.set_locale": "Language Change",
            "auth.email.change": "Email Change Request",
            "auth.email.change_confirm": "Email Change",
            "auth.email.confirm": "Email Confirm",
            "auth.erasure.acknowledge": "Erasure Acknowledge",
            "auth.erasure.begin": "Erasure Begin",
            "auth.erasure.cancel": "Erasure Cancel",
            "auth.erasure.request": "Erasure Request",
            "auth.passkey.begin": "MFA Factor Enable Request",
            "auth.passkey.rename": "MFA Factor Rename",
            "auth.password.remove": "Password Remove",
            "auth.totp.begin": "MFA Factor Enable Request",
        },
    ),
}
_FILES: Mapping[str, Meaning] = {
    **_all(Class.FILE, 1, "files.file.upload"),
    **_all(Class.FILE, 2, "files.file.download"),
    **_all(Class.FILE, 4, "files.file.delete"),
    **_other(
        Class.FILE,
        {
            "files.file.read": "Read Metadata",
        },
    ),
}
_LOG: Mapping[str, Meaning] = {
    **_all(Class.LOG, 3, "audit.activity.download", "audit.siem.start", "audit.siem.send"),
    **_all(Class.LOG, 2, "audit.retention.sweep"),
    **_all(Class.LOG, 3, "audit.account.export"),
    **_all(Class.LOG, 4, "audit.retention.cool"),
    **_all(Class.LOG, 6, "audit.log.start"),
    **_all(Class.LOG, 7, "audit.log.stop"),
    **_other(
        Class.LOG,
        {
            "audit.alarm.open": "Alarm Open",
            "audit.alarm.close": "Alarm Close",
            "audit.index.fill": "Index",
            "audit.hold.clear": "Hold Clear",
            "audit.hold.place": "Hold Place",
            "audit.hold.release": "Hold Release",
            "audit.retention.prune": "Prune",
            "audit.retention.shred": "Key Destroy",
            "audit.recovery.begin": "Recovery Begin",
            "audit.recovery.end": "Recovery End",
            "audit.witness.refuse": "Witness Refusal",
            "practice.alert.close": "Practice Alert Close",
            "practice.alert.open": "Practice Alert Open",
            "practice.statement": "Outbox Statement",
        },
    ),
}
_REST: Mapping[str, Meaning] = {
    **_all(
        Class.API,
        1,
        "auth.link.connect",
        "auth.link.complete",
        "auth.link.consent",
        "billing.card.create",
        "billing.card.set_up",
        "billing.charge.begin",
        "billing.charge.create",
        "billing.refund.begin",
        "billing.refund.create",
    ),
    **_all(
        Class.API,
        2,
        "audit.activity.list",
        "audit.hold.list",
        "audit.operator.read",
        "audit.operator.receipt",
        "audit.operator.search",
        "audit.receipt.deliver",
        "audit.receipt.read",
        "audit.reconciliation.run",
        "audit.remains.list",
        "audit.retention.preview",
        "auth.account.export",
        "auth.erasure.read",
        "auth.factor.list",
        "auth.link.begin",
        "auth.link.list",
        "auth.operator.erasure",
        "auth.operator.find",
        "auth.session.check",
        "auth.session.list",
        "billing.account.export",
        "billing.card.list",
        "billing.charge.list",
        "billing.charge.read",
        "files.account.export",
        "files.file.list",
    ),
    **_all(Class.API, 3, "billing.card.resolve", "billing.charge.resolve", "billing.refund.resolve"),
    **_all(Class.API, 4, "auth.link.revoke", "auth.link.unlink", "billing.card.delete"),
    **_other(
        Class.API,
        {
            "auth.link.attempt": "Ask Third Party",
            "auth.link.use": "Use Third Party",
            "auth.mail.send": "Send Mail",
        },
    ),
    **_all(Class.APPLICATION, 8, "gateway.config.push", "gateway.config.rollback"),
    **_all(Class.FINDING, 1, "practice.check"),
}
ACTIONS: Mapping[str, Meaning] = {**_SIGN_IN, **_ACCOUNT, **_FILES, **_LOG, **_REST}
_METHOD = Meaning(Class.API, OTHER, "Refused")
_STRANGE = Meaning(Class.API, _UNKNOWN)


def meaning(action: str) -> Meaning:
    """Return what an action is.

    A refused call of a method that records none else stands under the method's name. An action that the table does not
    know was recorded by another version of a service: it is unknown, and goes out all the same.
    """
    return ACTIONS.get(action) or (_METHOD if action.startswith("/") else _STRANGE)
