"""Owns the reading of policies from the contracts. A method without a whole policy does not start; default is deny."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from google.api import annotations_pb2
from google.protobuf import message_factory

from valv.options.v1 import policy_pb2

if TYPE_CHECKING:
    from google.api.http_pb2 import HttpRule
    from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
    from google.protobuf.message import Message

DEFAULT_REQUEST_BYTES = 65536


class Subject(IntEnum):
    """As whom a call acts."""

    NOBODY = policy_pb2.SUBJECT_NOBODY
    CUSTOMER = policy_pb2.SUBJECT_CUSTOMER
    OPERATOR = policy_pb2.SUBJECT_OPERATOR
    SERVICE = policy_pb2.SUBJECT_SERVICE


class Effect(IntEnum):
    """How a call touches data."""

    READ = policy_pb2.EFFECT_READ
    WRITE = policy_pb2.EFFECT_WRITE
    UNRECORDED = policy_pb2.EFFECT_UNRECORDED


class RateClass(IntEnum):
    """Rate-limit classes of the edge."""

    PUBLIC = policy_pb2.RATE_CLASS_PUBLIC
    CREDENTIAL = policy_pb2.RATE_CLASS_CREDENTIAL
    CUSTOMER = policy_pb2.RATE_CLASS_CUSTOMER
    TRANSFER = policy_pb2.RATE_CLASS_TRANSFER
    INTERNAL = policy_pb2.RATE_CLASS_INTERNAL


@dataclass(frozen=True)
class Policy:
    """Who may call a method and what happens around the call; see ``valv.options.v1.Policy``."""

    callers: frozenset[str]
    subject: Subject
    rate: RateClass
    effect: Effect
    action: str
    alternatives: tuple[str, ...] = ()
    """Actions a handler may record instead."""
    fresh_within: float | None = None
    passive: bool = False
    idempotency_key: bool = False
    plain_http: bool = False
    max_request_bytes: int = DEFAULT_REQUEST_BYTES
    media_types: tuple[str, ...] = ()
    any_origin: bool = False
    reserved: bool = False
    authenticates: bool = False
    within: int = 0


@dataclass(frozen=True)
class Binding:
    """One HTTP binding: verb, path template, and the field the body goes to ("" none, "*" all)."""

    verb: str
    path: str
    body: str


@dataclass(frozen=True)
class Method:
    """One method of a contract with its policy."""

    full_name: str
    name: str
    service: str
    policy: Policy
    input: type[Message]
    output: type[Message]
    server_streaming: bool
    bindings: tuple[Binding, ...]


class PolicyError(Exception):
    """A contract's policy is missing or contradicts itself."""


def methods_of(service: ServiceDescriptor) -> tuple[Method, ...]:
    """Return the methods of a service.

    Raises:
        PolicyError: A method has no policy, or one that is not whole.
    """
    return tuple(_method(service, method) for method in service.methods)


def _method(service: ServiceDescriptor, method: MethodDescriptor) -> Method:
    name = f"/{service.full_name}/{method.name}"
    options = method.GetOptions()
    if not options.HasExtension(policy_pb2.policy):
        message = f"{name} has no policy"
        raise PolicyError(message)
    if method.client_streaming:
        message = f"{name} streams requests; byte routes are plain HTTP"
        raise PolicyError(message)
    return Method(
        full_name=name,
        name=re.sub(r"(?<!^)(?=[A-Z])", "_", method.name).lower(),
        service=service.full_name,
        policy=_policy(name, options.Extensions[policy_pb2.policy]),
        input=message_factory.GetMessageClass(method.input_type),
        output=message_factory.GetMessageClass(method.output_type),
        server_streaming=method.server_streaming,
        bindings=_bindings(options.Extensions[annotations_pb2.http]),  # type: ignore[index]  # its stub names no type
    )


def _policy(name: str, source: policy_pb2.Policy) -> Policy:
    rule = source.audit
    _require_whole(name, source)
    return Policy(
        callers=frozenset(source.callers),
        subject=Subject(source.subject),
        rate=RateClass(source.rate),
        effect=Effect(rule.effect),
        action=rule.action,
        alternatives=tuple(rule.alternatives),
        fresh_within=source.fresh_within.ToTimedelta().total_seconds() if source.HasField("fresh_within") else None,
        passive=source.passive,
        idempotency_key=source.idempotency_key,
        plain_http=source.transport == policy_pb2.TRANSPORT_HTTP,
        max_request_bytes=source.max_request_bytes or DEFAULT_REQUEST_BYTES,
        media_types=tuple(source.media_types),
        any_origin=source.any_origin,
        reserved=source.reserved or source.subject == policy_pb2.SUBJECT_OPERATOR,
        authenticates=source.authenticates,
        within=source.within.seconds,
    )


def _require_whole(name: str, source: policy_pb2.Policy) -> None:
    rule, callers = source.audit, source.callers
    wrong = [
        text
        for text, bad in (
            ("no callers", not callers),
            ("no subject", not source.subject),
            ("no rate class", not source.rate),
            ("no effect", not rule.effect),
            ("no action", rule.effect != policy_pb2.EFFECT_UNRECORDED and not rule.action),
            ("no reason for keeping no record", rule.effect == policy_pb2.EFFECT_UNRECORDED and not rule.because),
            ("customers come only by the edge", source.subject == policy_pb2.SUBJECT_CUSTOMER and callers != ["envoy"]),
            (
                "operators come only with their own certificate",
                (source.subject == policy_pb2.SUBJECT_OPERATOR) != (callers == ["operator"]),
            ),
            ("the edge routes no internal class", "envoy" in callers and source.rate == policy_pb2.RATE_CLASS_INTERNAL),
            ("only operators wait so long", source.within.seconds and callers != ["operator"]),
            ("only the edge knows browsers", source.authenticates and callers != ["envoy"]),
        )
        if bad
    ]
    if wrong:
        message = f"{name}: {', '.join(wrong)}"
        raise PolicyError(message)


def _bindings(rule: HttpRule) -> tuple[Binding, ...]:
    kind = rule.WhichOneof("pattern")
    if kind is None:
        return ()
    verb, path = (rule.custom.kind, rule.custom.path) if kind == "custom" else (kind.upper(), getattr(rule, kind))
    return Binding(verb, path, rule.body), *(one for more in rule.additional_bindings for one in _bindings(more))
