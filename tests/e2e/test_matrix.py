"""Every method of every service, called as every identity: what the policy says is what happens."""

from __future__ import annotations

from typing import Any, cast

import grpc
import pytest

from deploy.cli.certs import DOMAIN, issue_operator
from services.gateway import contracts
from services.kit.clock import SystemClock
from services.kit.policy import Method, Subject
from tests.support.live import Live

IDENTITIES = ("auth", "files", "billing", "audit", "gateway", "envoy", "shop", "runner", "operator")
SERVICES = ("auth", "files", "billing", "audit")
METHODS = [
    (method.service.split(".")[1], method) for method in contracts.methods() if not method.policy.plain_http
]  # all there are, so that a new method is tried without being named here


def _channel(live: Live, role: str, identity: str) -> grpc.Channel:
    folder = live.layout.certificates / "workload"
    own = folder / f"{identity}.pem"
    if identity == "operator":
        own = issue_operator(live.layout.certificates, "anna", SystemClock().now())
    read = [path.read_bytes() for path in (folder / "ca.pem", own.with_suffix(".key"), own)]
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
    for role in SERVICES:
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


def test_every_method_belongs_to_a_service_that_was_asked() -> None:
    assert {role for role, _ in METHODS} == set(SERVICES)


@pytest.mark.clause("P3", "ASVS 8.4.2")
def test_the_edge_routes_no_method_that_is_not_a_customers_or_a_strangers() -> None:
    assert {one.method.policy.subject for one in contracts.exposed()} <= {Subject.CUSTOMER, Subject.NOBODY}


@pytest.mark.clause("P3")
@pytest.mark.parametrize("role", [*SERVICES, "gateway"])
def test_no_certificate_no_answer(live: Live, role: str) -> None:
    authority = (live.layout.certificates / "workload" / "ca.pem").read_bytes()
    options = (("grpc.ssl_target_name_override", f"{role}.{DOMAIN}"), ("grpc.enable_http_proxy", 0))
    credentials = grpc.ssl_channel_credentials(authority)
    with grpc.secure_channel(f"127.0.0.1:{getattr(live.layout.ports, role)}", credentials, options) as channel:
        ask: Any = channel.unary_unary("/grpc.health.v1.Health/Check")
        with pytest.raises(grpc.RpcError) as caught:
            ask(b"", timeout=5)
        assert cast("grpc.Call", caught.value).code() is grpc.StatusCode.UNAVAILABLE
