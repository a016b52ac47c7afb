"""Owns what the domain asks of its stores: one narrow protocol per subject, all of them over one transaction.

``Work`` is the unit of work of a call (it commits with the call's audit record); ``Units`` opens transactions for what
auth does by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime

    from services.auth.accounts import Account
    from services.auth.dossier.dossier import KnownDevice
    from services.auth.email_changes import EmailChange
    from services.auth.erasures.store import ErasureStore
    from services.auth.factors.store import FactorStore
    from services.auth.links.store import LinkStore, RevocationQueue
    from services.auth.mail import Outgoing
    from services.auth.mail_tokens import MailToken
    from services.auth.passwords import PasswordHash
    from services.auth.revocations import Revocation
    from services.auth.sessions import Session


class StoreAway(Exception):  # noqa: N818 - a state of the store
    """The database cannot be used now."""


class AccountStore(Protocol):
    """Accounts and their passwords."""

    async def ensure(self, account: Account) -> Account:
        """Insert an account unless its address is known; returns the one that holds the address."""
        ...

    async def get(self, account_id: str) -> Account | None:
        """Return an account."""
        ...

    async def credentials(self, lookup: str) -> tuple[Account, PasswordHash | None] | None:
        """Return the account with this address and its password; accounts not confirmed have none."""
        ...

    async def propose(self, sign_up_id: str, account_id: str, password: PasswordHash, now: datetime) -> None:
        """Keep the password of a sign-up until the address is confirmed."""
        ...

    async def confirm(self, account_id: str, sign_up_id: str, now: datetime) -> bool:
        """Confirm an account, take the password of that sign-up and drop all others; False when it is too late."""
        ...

    async def replace_password(self, account_id: str, old: PasswordHash, new: PasswordHash) -> bool:
        """Replace a password's hash if it is still the old one."""
        ...

    async def password_of(self, account_id: str) -> PasswordHash | None:
        """Return an account's password, if it has one."""
        ...

    async def set_password(self, account_id: str, password: PasswordHash | None) -> None:
        """Give an account another password, or none."""
        ...

    async def lock(self, account_id: str) -> None:
        """Let nobody else who locks this account go on before the transaction ends."""
        ...

    async def set_locale(self, account_id: str, locale: str) -> None:
        """Give an account this language."""
        ...

    async def move(self, account_id: str, email: str, lookup: str) -> bool:
        """Give an account another address; False when a confirmed one has it. One that never confirmed it goes."""
        ...

    async def parameters_in_use(self) -> Sequence[tuple[str, str, int]]:
        """Count passwords by (parameters, pepper key id)."""
        ...


class SessionStore(Protocol):
    """Sessions, by id and by the hash of their token."""

    async def insert(self, session: Session, token_hash: bytes) -> bool:
        """Insert a session; False when its account is disabled, however lately."""
        ...

    async def by_token(self, token_hash: bytes) -> Session | None:
        """Return the session of a token, ended ones too."""
        ...

    async def get(self, session_id: str) -> Session | None:
        """Return a session, ended ones too."""
        ...

    async def end(self, session_id: str, now: datetime) -> bool:
        """End a session; False when it had ended or does not exist."""
        ...

    async def open_of(self, account_id: str, closes_after: datetime) -> Sequence[Session]:
        """Return an account's sessions that nobody has ended and whose absolute end is later than that."""
        ...

    async def not_ended(self, closes_after: datetime, after: str, limit: int) -> Sequence[Session]:
        """Return sessions nobody has ended and whose absolute end is later than that, by id, after an id."""
        ...


class DeviceStore(Protocol):
    """Devices that accounts have signed in from, by the hash of their token."""

    async def last_seen(self, account_id: str, token_hash: bytes) -> datetime | None:
        """Return when an account last signed in from a device; None when it never did."""
        ...

    async def count(self, account_id: str, since: datetime) -> int:
        """Count an account's devices first seen at or after a time."""
        ...

    async def see(self, account_id: str, token_hash: bytes, device: str, now: datetime) -> None:
        """Note a sign-in from a device, new or known."""
        ...

    async def prune(self, account_id: str, kept: int) -> None:
        """Drop an account's devices but the ones seen last."""
        ...


class RevocationStore(Protocol):
    """The numbered rows every service follows."""

    async def add(self, session_id: str, now: datetime) -> Revocation:
        """Append a row. Numbers become visible in their order, whatever commits first."""
        ...

    async def since(self, sequence: int, limit: int) -> Sequence[Revocation]:
        """Return rows with higher numbers, in order."""
        ...

    async def newer_than(self, time: datetime) -> Sequence[Revocation]:
        """Return rows made at or after a time, in order."""
        ...

    async def latest(self) -> int:
        """Return the highest number given; 0 when none was."""
        ...

    async def still_open(self, since: datetime) -> int:
        """Count sessions revoked since then that their row does not show as ended."""
        ...


class MailStore(Protocol):
    """The queue of mails. Holds ids only."""

    async def add(self, mail: Outgoing) -> None:
        """Queue a mail."""
        ...

    async def is_due(self, now: datetime) -> bool:
        """Tell whether a mail is due."""
        ...

    async def oldest(self) -> datetime | None:
        """Return when the mail that has waited longest was queued."""
        ...

    async def claim(self, now: datetime, until: datetime, limit: int) -> Sequence[Outgoing]:
        """Take mails that are due; nobody else gets them before ``until``."""
        ...

    async def postpone(self, mail_id: str, until: datetime) -> None:
        """Count a failed attempt; the next one is due then."""
        ...

    async def remove(self, mail_id: str) -> None:
        """Drop a mail that was sent or given up."""
        ...


class MailTokenStore(Protocol):
    """Hashes of the tokens in mails."""

    async def add(self, token: MailToken, token_hash: bytes) -> None:
        """Keep a token's hash."""
        ...

    async def find(self, token_hash: bytes, purpose: str, now: datetime) -> MailToken | None:
        """Return a token that could be used now."""
        ...

    async def drop(self, account_id: str, now: datetime) -> None:
        """Void all of an account's tokens that were not used."""
        ...

    async def use(self, token_hash: bytes, purpose: str, now: datetime) -> MailToken | None:
        """Use a token up; exactly one of several racing calls gets it."""
        ...


class EmailChangeStore(Protocol):
    """Changes of address."""

    async def begin(self, change: EmailChange) -> None:
        """Keep a change; those of the account that are still open give way to it."""
        ...

    async def get(self, change_id: str) -> EmailChange | None:
        """Return a change."""
        ...

    async def take(self, change_id: str, account_id: str, now: datetime) -> EmailChange | None:
        """Close an open change of an account; exactly one of several racing calls gets it."""
        ...

    async def drop(self, account_id: str, now: datetime) -> None:
        """Close what an account has open."""
        ...


class Ledger(Protocol):
    """Records what auth does by itself, in the same transaction."""

    async def mail(self, account_id: str, mail_id: str, template: str, *, sent: bool) -> None:
        """Record that a mail went out, or was given up."""
        ...

    async def superseded(self, account_id: str, session_id: str) -> None:
        """Record that a session ended because its bearer signed in anew."""
        ...

    async def link_revocation(self, account_id: str, link_id: str, provider: str, *, done: bool) -> None:
        """Record that a token was revoked at a third party, or that this was given up."""
        ...

    async def erasure(self, account_id: str, step: str) -> None:
        """Record that an erasure began ("begin") or ended ("end")."""
        ...


class StandingStore(Protocol):
    """Whether accounts are disabled."""

    async def find(self, lookup: str) -> Account | None:
        """Return the account with this address."""
        ...

    async def disable(self, account_id: str, because: str, now: datetime) -> bool:
        """Disable an account; one that is disabled keeps its time. False when there is none."""
        ...

    async def enable(self, account_id: str) -> bool:
        """Enable an account; False when there is none."""
        ...


class DossierStore(Protocol):
    """What is held about people, for an export."""

    async def has_password(self, account_id: str) -> bool:
        """Tell whether an account has a password."""
        ...

    async def sessions(self, account_id: str, before: str, limit: int) -> Sequence[Session]:
        """Return an account's sessions, newest first, those opened before a session if given."""
        ...

    async def devices(self, account_id: str) -> Sequence[KnownDevice]:
        """Return the devices that an account knows, the one seen last first."""
        ...


class Mailing(Protocol):
    """The stores of what goes by mail, over one transaction."""

    @property
    def mail(self) -> MailStore:
        """The mail queue."""
        ...

    @property
    def mail_tokens(self) -> MailTokenStore:
        """Tokens in mails."""
        ...

    @property
    def email_changes(self) -> EmailChangeStore:
        """Changes of address."""
        ...


class LifecycleStore(Protocol):
    """What concerns an account as a whole."""

    @property
    def standings(self) -> StandingStore:
        """Whether accounts are disabled."""
        ...

    @property
    def dossiers(self) -> DossierStore:
        """What is held about people."""
        ...

    @property
    def erasures(self) -> ErasureStore:
        """Erasures."""
        ...


class Store(Mailing, Protocol):
    """All stores over one transaction."""

    @property
    def lifecycle(self) -> LifecycleStore:
        """What concerns an account as a whole."""
        ...

    @property
    def accounts(self) -> AccountStore:
        """Accounts."""
        ...

    @property
    def sessions(self) -> SessionStore:
        """Sessions."""
        ...

    @property
    def devices(self) -> DeviceStore:
        """Devices that accounts know."""
        ...

    @property
    def revocations(self) -> RevocationStore:
        """Revocations."""
        ...

    @property
    def factors(self) -> FactorStore:
        """Second factors, passkeys, recovery codes and challenges."""
        ...

    @property
    def links(self) -> LinkStore:
        """Links to third parties."""
        ...

    @property
    def unlinked(self) -> RevocationQueue:
        """What waits to be revoked at third parties."""
        ...

    @property
    def ledger(self) -> Ledger:
        """The record of what auth does by itself."""
        ...


class Readable(Protocol):
    """Read-only transactions."""

    def read(self) -> AbstractAsyncContextManager[Store]:
        """Open a read-only transaction."""
        ...


class Work(Readable, Protocol):
    """The unit of work of one call."""

    async def write(self) -> Store:
        """Return the call's write transaction, begun at first use. Never hash while it is open."""
        ...

    async def phase(self, action: str | None = None) -> None:
        """Commit what was written so far, without the call's record: it holds even if the call is refused.

        With ``action`` there is a record of that: of what cannot be taken back.
        """
        ...

    async def commit(self) -> None:
        """Commit what was written, with the call's record."""
        ...


class Units(Readable, Protocol):
    """Transactions of auth's own. Both kinds raise StoreAway."""

    def write(self) -> AbstractAsyncContextManager[Store]:
        """Open a write transaction; committed at the end of the block."""
        ...
