"""Owns the mapping between the e-mail contract and its domain: parse, one call, map. Must never decide anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.auth import email_address, wire
from services.auth.errors import LOCALE_NOT_SUPPORTED
from services.auth.mail import LOCALES
from services.kit.faults import Fault
from valv.auth.v1 import email_pb2

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.auth.email_changes import EmailChanges
    from services.auth.password_changes import PasswordChanges
    from services.auth.revocations import Broadcaster
    from services.auth.store import Work
    from services.kit.call import Call


class EmailHandlers:
    """Serves ``valv.auth.v1.EmailService``."""

    def __init__(
        self,
        emails: EmailChanges,
        passwords: PasswordChanges,
        broadcaster: Broadcaster,
        work: Callable[[Call], Work],
    ) -> None:
        """Take the domain."""
        self._emails, self._passwords, self._broadcaster, self._work = emails, passwords, broadcaster, work

    async def change_email(self, request: email_pb2.ChangeEmailRequest, call: Call) -> email_pb2.ChangeEmailResponse:
        """Begin a change of address."""
        new = email_address.parse(request.new_email)
        change_id = await self._emails.begin(self._work(call), call.customer, new)
        call.record.object("emc", change_id)
        return email_pb2.ChangeEmailResponse()

    async def confirm_email_change(
        self, request: email_pb2.ConfirmEmailChangeRequest, call: Call
    ) -> email_pb2.ConfirmEmailChangeResponse:
        """Finish a change of address."""
        token, work = wire.secret(request.token, "token"), self._work(call)
        moved = await self._emails.confirm(work, call.customer, call.session, token)
        call.record.detail(count=moved.ended)
        await work.commit()
        await self._broadcaster.announce()
        return email_pb2.ConfirmEmailChangeResponse(email=moved.email)

    async def recover(self, request: email_pb2.RecoverRequest, call: Call) -> email_pb2.RecoverResponse:
        """Ask for a link to choose a new password."""
        email = email_address.parse(request.email)
        await self._passwords.recover(self._work(call), call.record, email, wire.visitor(call, request.device_token))
        return email_pb2.RecoverResponse()

    async def reset_password(
        self, request: email_pb2.ResetPasswordRequest, call: Call
    ) -> email_pb2.ResetPasswordResponse:
        """Set a new password with the token from the mail."""
        token, new = wire.secret(request.token, "token"), wire.secret(request.new_password, "new_password")
        work = self._work(call)
        ended = await self._passwords.reset(work, call.record, token, new)
        call.record.detail(count=ended)
        await work.commit()
        await self._broadcaster.announce()
        return email_pb2.ResetPasswordResponse()

    async def set_locale(self, request: email_pb2.SetLocaleRequest, call: Call) -> email_pb2.SetLocaleResponse:
        """Choose the language of mails."""
        if request.locale not in LOCALES:
            raise Fault(LOCALE_NOT_SUPPORTED, field="locale")
        store = await self._work(call).write()
        await store.accounts.set_locale(call.customer, request.locale)
        return email_pb2.SetLocaleResponse()
