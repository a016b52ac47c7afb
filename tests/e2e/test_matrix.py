"""Every method of every service, called as every identity: what the policy says is what happens."""

from __future__ import annotations

from typing import Any, cast

import grpc
import pytest
from google.protobuf import descriptor_pool

from deploy.cli.certs import DOMAIN
from services.kit.policy import Method, Subject, methods_of
from tests.support.live import Live
from valv.audit.v1 import activity_pb2, append_pb2, log_pb2, practices_pb2
from valv.auth.v1 import account_pb2, session_pb2
from valv.billing.v1 import card_pb2, charge_pb2
from valv.files.v1 import file_pb2

CONTRACTS = {
    "audit": (activity_pb2, append_pb2, log_pb2, practices_pb2),
    "auth": (account_pb2, session_pb2),
    "billing": (card_pb2, charge_pb2),
    "files": (file_pb2,),
}
IDENTITIES = ("auth", "files", "billing", "audit", "gateway", "envoy", "shop", "runner")
METHODS = [
    (role, method)
    for role, contracts in CONTRACTS.items()
    for contract in contracts
    for service in contract.DESCRIPTOR.services_by_name.values()
    for method in methods_of(service)
    if not method.policy.plain_http
]


def _channel(live: Live, role: str, identity: str) -> grpc.Channel:
    folder = live.layout.certificates / "workload"
    read = [(folder / name).read_bytes() for name in ("ca.pem", f"{identity}.key", f"{identity}.pem")]
    port = getattr(live.layout.ports, role)
    options = (("grpc.ssl_target_name_override", f"{role}.{DOMAIN}"), ("grpc.enable_http_proxy", 0))
    return grpc.secure_channel(f"127.0.0.1:{port}", grpc.ssl_channel_credentials(*read), options)


def _call(channel: grpc.Channel, method: Method) -> grpc.StatusCode:
    make: Any = channel.unary_stream if method.server_streaming else channel.unary_unary
    ask = make(method.full_name, method.input.SerializeToString, method.output.FromString)
    try:
        answer = ask(method.input(), timeout=10)
        if method.server_streaming:
            next(answer)
            answer.cancel()
    except grpc.RpcError as error:
        return cast("grpc.Call", error).code()
    return grpc.StatusCode.OK


@pytest.mark.clause("P3", "P13", "ASVS 8.2.1", "PCI DSS 1.3.1")
@pytest.mark.parametrize("identity", IDENTITIES)
def test_the_policy_decides_who_gets_in(live: Live, identity: str) -> None:
    wrong = []
    for role in CONTRACTS:
        with _channel(live, role, identity) as channel:
            for method in (method for owner, method in METHODS if owner == role):
                code = _call(channel, method)
                policy = method.policy
                if identity not in policy.callers:
                    expected = code is grpc.StatusCode.PERMISSION_DENIED
                elif policy.subject is Subject.CUSTOMER:
                    expected = code is grpc.StatusCode.UNAUTHENTICATED
                else:
                    expected = code not in (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNIMPLEMENTED)
                if not expected:
                    wrong.append((method.full_name, code))
    assert wrong == []


def test_every_contract_is_served(live: Live) -> None:
    known = {method.service for _, method in METHODS} | {"valv.files.v1.ContentService"}
    pool = descriptor_pool.Default()
    services = {
        service.full_name
        for contracts in CONTRACTS.values()
        for contract in contracts
        for service in pool.FindFileByName(contract.DESCRIPTOR.name).services_by_name.values()
    }
    assert services == known


@pytest.mark.clause("P3")
@pytest.mark.parametrize("role", [*CONTRACTS, "gateway"])
def test_no_certificate_no_answer(live: Live, role: str) -> None:
    authority = (live.layout.certificates / "workload" / "ca.pem").read_bytes()
    options = (("grpc.ssl_target_name_override", f"{role}.{DOMAIN}"), ("grpc.enable_http_proxy", 0))
    credentials = grpc.ssl_channel_credentials(authority)
    with grpc.secure_channel(f"127.0.0.1:{getattr(live.layout.ports, role)}", credentials, options) as channel:
        ask: Any = channel.unary_unary("/grpc.health.v1.Health/Check")
        with pytest.raises(grpc.RpcError) as caught:
            ask(b"", timeout=5)
        assert cast("grpc.Call", caught.value).code() is grpc.StatusCode.UNAVAILABLE
