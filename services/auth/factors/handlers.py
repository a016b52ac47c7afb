"""Owns the mapping between the factors contract and its domain: parse, one call, map. Must never decide anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.auth.factors import holdings, wire
from services.auth.wire import NO_STORE, secret
from services.kit.faults import INVALID_ARGUMENT, Fault
from services.kit.ids import check
from services.kit.secret import Secret
from valv.auth.v1 import factor_pb2

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.auth.factors.enrolment import Factors
    from services.auth.factors.removal import Removal
    from services.auth.revocations import Broadcaster
    from services.auth.store import Work
    from services.kit.call import Call


class FactorHandlers:
    """Serves ``valv.auth.v1.FactorService``. What ended a session is told to all services before the answer."""

    def __init__(
        self, factors: Factors, removal: Removal, broadcaster: Broadcaster, work: Callable[[Call], Work]
    ) -> None:
        """Take the domain."""
        self._factors, self._removal, self._broadcaster, self._work = factors, removal, broadcaster, work

    async def list_factors(self, _request: factor_pb2.ListFactorsRequest, call: Call) -> factor_pb2.ListFactorsResponse:
        """Tell which factors there are."""
        call.reply_metadata.append(NO_STORE)
        async with self._work(call).read() as store:
            return wire.listed(await holdings.of(store, call.customer))

    async def begin_totp(self, _request: factor_pb2.BeginTotpRequest, call: Call) -> factor_pb2.BeginTotpResponse:
        """Make a seed."""
        call.reply_metadata.append(NO_STORE)
        enrolment = await self._factors.begin_totp(self._work(call), call.customer)
        return factor_pb2.BeginTotpResponse(secret=enrolment.secret.text(), otpauth_uri=enrolment.uri.text())

    async def confirm_totp(self, request: factor_pb2.ConfirmTotpRequest, call: Call) -> factor_pb2.ConfirmTotpResponse:
        """Turn the app on."""
        work, code = self._begin(call, "otp"), secret(request.code, "code")
        made = await self._factors.confirm_totp(work, call.customer, call.session, code)
        await self._end(work)
        return factor_pb2.ConfirmTotpResponse(recovery_codes=wire.codes(made))

    async def remove_totp(self, request: factor_pb2.RemoveTotpRequest, call: Call) -> factor_pb2.RemoveTotpResponse:
        """Remove the app."""
        work, password = self._begin(call, "otp"), _optional(request.new_password)
        await self._removal.remove_totp(work, call.customer, call.session, password)
        await self._end(work)
        return factor_pb2.RemoveTotpResponse()

    async def begin_passkey(
        self, _request: factor_pb2.BeginPasskeyRequest, call: Call
    ) -> factor_pb2.BeginPasskeyResponse:
        """Say what an authenticator is to make."""
        work = self._begin(call, "pop")
        options = await self._factors.begin_passkey(work, call.customer, call.session)
        return factor_pb2.BeginPasskeyResponse(options_json=options)

    async def confirm_passkey(
        self, request: factor_pb2.ConfirmPasskeyRequest, call: Call
    ) -> factor_pb2.ConfirmPasskeyResponse:
        """Add a passkey."""
        work, credential = self._begin(call, "pop"), secret(request.credential_json, "credential_json")
        passkey, made = await self._factors.confirm_passkey(
            work, call.customer, call.session, credential, request.display_name
        )
        call.record.object("psk", passkey.passkey_id)
        await self._end(work)
        return factor_pb2.ConfirmPasskeyResponse(passkey=wire.passkey(passkey), recovery_codes=wire.codes(made))

    async def rename_passkey(
        self, request: factor_pb2.RenamePasskeyRequest, call: Call
    ) -> factor_pb2.RenamePasskeyResponse:
        """Give a passkey another name."""
        work, passkey_id = self._begin(call, "pop"), _passkey_id(request.passkey_id, call)
        await self._factors.rename_passkey(work, call.customer, passkey_id, request.display_name)
        return factor_pb2.RenamePasskeyResponse()

    async def remove_passkey(
        self, request: factor_pb2.RemovePasskeyRequest, call: Call
    ) -> factor_pb2.RemovePasskeyResponse:
        """Remove a passkey."""
        work, passkey_id = self._begin(call, "pop"), _passkey_id(request.passkey_id, call)
        password = _optional(request.new_password)
        await self._removal.remove_passkey(work, call.customer, call.session, passkey_id, password)
        await self._end(work)
        return factor_pb2.RemovePasskeyResponse()

    async def generate_recovery_codes(
        self, _request: factor_pb2.GenerateRecoveryCodesRequest, call: Call
    ) -> factor_pb2.GenerateRecoveryCodesResponse:
        """Make new recovery codes."""
        work = self._begin(call, "rc")
        made = await self._factors.generate_codes(work, call.customer, call.session)
        await self._end(work)
        return factor_pb2.GenerateRecoveryCodesResponse(recovery_codes=wire.codes(made))

    async def remove_password(
        self, _request: factor_pb2.RemovePasswordRequest, call: Call
    ) -> factor_pb2.RemovePasswordResponse:
        """Remove the password."""
        work = self._begin(call, "pwd")
        await self._removal.remove_password(work, call.customer, call.session)
        await self._end(work)
        return factor_pb2.RemovePasswordResponse()

    def _begin(self, call: Call, factor: str) -> Work:
        call.reply_metadata.append(NO_STORE)
        call.record.detail(factor=factor)
        return self._work(call)

    async def _end(self, work: Work) -> None:
        await work.commit()
        await self._broadcaster.announce()


def _optional(text: str) -> Secret | None:
    return Secret(text) if text else None


def _passkey_id(text: str, call: Call) -> str:
    try:
        passkey_id = check("psk", text)
    except ValueError:
        raise Fault(INVALID_ARGUMENT, field="passkey_id") from None
    call.record.object("psk", passkey_id)
    return passkey_id
