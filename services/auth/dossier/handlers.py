"""Owns the mapping between the contract of a person's own data and its domain. Must never decide anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.auth import wire
from services.auth.dossier import dossier
from valv.auth.v1 import account_data_pb2

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.auth.accounts import Account
    from services.auth.sessions import Session
    from services.auth.store import Work
    from services.kit.call import Call


class AccountDataHandlers:
    """Serves ``valv.auth.v1.AccountDataService``."""

    def __init__(self, work: Callable[[Call], Work]) -> None:
        """Take the domain."""
        self._work = work

    async def export_account(
        self, request: account_data_pb2.ExportAccountRequest, call: Call
    ) -> account_data_pb2.ExportAccountResponse:
        """Return what auth holds about the caller."""
        call.reply_metadata.append(wire.NO_STORE)
        held = await dossier.export(self._work(call), call.customer, request.page_size, request.page_token)
        return account_data_pb2.ExportAccountResponse(
            account=_account(held.account, has_password=held.has_password) if held.account else None,
            sessions=[_session(session) for session in held.sessions],
            devices=[
                account_data_pb2.ExportedDevice(
                    device=known.device,
                    first_time=wire.timestamp(known.first_seen),
                    last_time=wire.timestamp(known.last_seen),
                )
                for known in held.devices
            ],
            next_page_token=held.next_token,
        )


def _account(account: Account, *, has_password: bool) -> account_data_pb2.ExportedAccount:
    return account_data_pb2.ExportedAccount(
        account_id=account.account_id,
        email=account.email,
        locale=account.locale,
        create_time=wire.timestamp(account.created),
        confirm_time=wire.timestamp(account.confirmed) if account.confirmed else None,
        has_password=has_password,
    )


def _session(session: Session) -> account_data_pb2.ExportedSession:
    return account_data_pb2.ExportedSession(
        session_id=session.session_id,
        open_time=wire.timestamp(session.opened),
        close_time=wire.timestamp(session.closes),
        end_time=wire.timestamp(session.ended) if session.ended else None,
        factors=session.amr,
        device=session.device,
        place=session.place,
    )
