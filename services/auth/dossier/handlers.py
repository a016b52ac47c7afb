"""Owns the mapping between the contract of a person's own data and its domain. Must never decide anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.auth import wire
from services.auth.dossier import dossier
from valv.auth.v1 import account_data_pb2

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.auth.accounts import Account
    from services.auth.dossier.dossier import KnownFactor
    from services.auth.erasures.erasure import Erasure, Erasures
    from services.auth.links.store import Link
    from services.auth.sessions import Session
    from services.auth.store import Work
    from services.kit.call import Call


class AccountDataHandlers:
    """Serves ``valv.auth.v1.AccountDataService``."""

    def __init__(self, erasures: Erasures, work: Callable[[Call], Work]) -> None:
        """Take the domain."""
        self._erasures, self._work = erasures, work

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
            factors=[_factor(known) for known in held.factors],
            links=[_link(link) for link in held.links],
            next_page_token=held.next_token,
        )

    async def request_erasure(
        self, _request: account_data_pb2.RequestErasureRequest, call: Call
    ) -> account_data_pb2.RequestErasureResponse:
        """Ask for the erasure of the caller's account."""
        asked = await self._erasures.request(self._work(call), call.customer)
        return account_data_pb2.RequestErasureResponse(erasure=_erasure(asked))

    async def cancel_erasure(
        self, _request: account_data_pb2.CancelErasureRequest, call: Call
    ) -> account_data_pb2.CancelErasureResponse:
        """Take the request back."""
        await self._erasures.cancel(self._work(call), call.customer)
        return account_data_pb2.CancelErasureResponse()

    async def get_erasure(
        self, _request: account_data_pb2.GetErasureRequest, call: Call
    ) -> account_data_pb2.GetErasureResponse:
        """Tell whether an erasure was asked for."""
        call.reply_metadata.append(wire.NO_STORE)
        found = await self._erasures.get(self._work(call), call.customer)
        return account_data_pb2.GetErasureResponse(erasure=_erasure(found) if found else None)


def _erasure(erasure: Erasure) -> account_data_pb2.Erasure:
    return account_data_pb2.Erasure(
        request_time=wire.timestamp(erasure.requested), due_time=wire.timestamp(erasure.due)
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


def _factor(known: KnownFactor) -> account_data_pb2.ExportedFactor:
    return account_data_pb2.ExportedFactor(
        kind=known.kind,
        factor_id=known.factor_id,
        display_name=known.display_name,
        create_time=wire.timestamp(known.created) if known.created else None,
        use_time=wire.timestamp(known.used) if known.used else None,
        left=known.left,
    )


def _link(link: Link) -> account_data_pb2.ExportedLink:
    return account_data_pb2.ExportedLink(
        link_id=link.link_id,
        provider=link.offer.provider,
        version=link.offer.version,
        consent_time=wire.timestamp(link.consented) if link.consented else None,
        connect_time=wire.timestamp(link.connected) if link.connected else None,
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
