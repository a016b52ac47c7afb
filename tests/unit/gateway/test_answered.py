"""What the edge answered is compared with the log: which requests count, and when the lack of one is told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

import grpc
import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from services.gateway import answered, contracts
from services.gateway.answered import PATIENCE_SECONDS, Answered
from services.kit.checks import UnknownError
from services.kit.clients import Channels
from services.kit.telemetry import Log
from tests.support.clock import FakeClock
from valv.audit.v1 import append_pb2

RECORDED, UNRECORDED = "GET /v1/files", "GET /v1/practices"


class Audit:
    """The log at the other end of a channel; it can be away."""

    def __init__(self) -> None:
        self.holds: set[str] = set()
        self.asked: list[list[str]] = []
        self.away = False

    def get(self, role: str) -> Audit:
        assert role == "audit"
        return self

    def unary_unary(self, path: str, *_: Any, **__: Any) -> Callable[..., Awaitable[Any]]:
        async def call(request: append_pb2.FindUnrecordedRequest) -> append_pb2.FindUnrecordedResponse:
            if self.away:
                raise grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata())
            self.asked.append(list(request.request_ids))
            lacking = [one for one in request.request_ids if one not in self.holds]
            return append_pb2.FindUnrecordedResponse(request_ids=lacking)

        return call if path.endswith("/FindUnrecorded") else cast("Any", None)


def span(request: str, route: str = RECORDED, status: str = "200") -> Span:
    said = {"guid:x-request-id": request, "http.status_code": status}
    attributes = [KeyValue(key=key, value=AnyValue(string_value=value)) for key, value in said.items()]
    return Span(name=route, attributes=attributes)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def audit() -> Audit:
    return Audit()


@pytest.fixture
def edge(audit: Audit, clock: FakeClock) -> Answered:
    return Answered(contracts.exposed(), cast("Channels", audit), clock, Log("gateway"), 86400)


async def test_only_what_succeeded_where_calls_are_recorded_is_asked_for(edge: Answered, audit: Audit) -> None:
    for one in (
        span("a"),
        span("b", status="201"),
        span("refused", status="403"),
        span("failed", status="503"),
        span("cut", status="0"),
        span("public", UNRECORDED),
        span("page", "GET /"),
        span(""),
        Span(name=RECORDED),
    ):
        edge.take(one)
    assert await edge.unrecorded() == 0
    assert audit.asked == [["a", "b"]]


@pytest.mark.clause("P5", "PCI DSS 10.3.4")
async def test_a_request_that_the_log_lacks_for_long_is_counted_until_it_comes(
    edge: Answered, audit: Audit, clock: FakeClock
) -> None:
    audit.holds = {"kept"}
    edge.take(span("kept"))
    edge.take(span("lost"))
    assert await edge.unrecorded() == 0
    clock.advance(PATIENCE_SECONDS - 1)
    assert await edge.unrecorded() == 0
    clock.advance(1)
    edge.take(span("on its way"))
    edge.take(span("lost"))
    assert await edge.unrecorded() == 1
    clock.advance(86400)
    assert audit.asked == [["kept", "lost"], ["lost"], ["lost", "on its way"]]
    audit.holds |= {"lost", "on its way"}
    assert await edge.unrecorded() == 0


async def test_records_that_waited_for_the_log_are_not_missed(edge: Answered, audit: Audit, clock: FakeClock) -> None:
    edge.take(span("waiting"))
    audit.away = True
    for _ in range(3):
        with pytest.raises(UnknownError):
            await edge.unrecorded()
        clock.advance(3600)
    audit.away = False
    assert await edge.unrecorded() == 0
    audit.holds = {"waiting"}
    clock.advance(PATIENCE_SECONDS)
    assert await edge.unrecorded() == 0


async def test_a_crowd_is_compared_in_parts_and_no_more_than_fits(
    edge: Answered, audit: Audit, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answered, "MOST", 2500)
    for number in range(3000):
        edge.take(span(str(number)))
    assert await edge.unrecorded() == 0
    assert [len(some) for some in audit.asked] == [1000, 1000, 500]
    clock.advance(PATIENCE_SECONDS)
    assert await edge.unrecorded() == 2500


async def test_where_nothing_was_answered_nothing_lacks(edge: Answered, audit: Audit) -> None:
    audit.away = True
    assert await edge.unrecorded() == 0
