"""Policies are read from the contracts whole, or not at all."""

from __future__ import annotations

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.duration_pb2 import Duration

from services.kit.policy import DEFAULT_REQUEST_BYTES, Effect, PolicyError, RateClass, Subject, methods_of
from valv.auth.v1 import account_pb2
from valv.files.v1 import file_pb2
from valv.options.v1 import policy_pb2


def _service(policy: policy_pb2.Policy | None) -> object:
    """Return a one-method service with this policy, from a contract of its own."""
    file = descriptor_pb2.FileDescriptorProto(name="t.proto", package="t", syntax="proto3")
    file.message_type.add(name="M")
    method = file.service.add(name="TService").method.add(name="DoIt", input_type=".t.M", output_type=".t.M")
    if policy is not None:
        method.options.Extensions[policy_pb2.policy].CopyFrom(policy)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool.FindServiceByName("t.TService")


def _whole() -> policy_pb2.Policy:
    return policy_pb2.Policy(
        callers=["envoy"],
        subject=policy_pb2.SUBJECT_NOBODY,
        rate=policy_pb2.RATE_CLASS_PUBLIC,
        audit=policy_pb2.AuditRule(action="t.do", effect=policy_pb2.EFFECT_READ),
    )


def test_a_contract_gives_names_messages_bindings_and_policy() -> None:
    methods = {method.name: method for method in methods_of(account_pb2.DESCRIPTOR.services_by_name["AccountService"])}
    sign_in = methods["sign_in"]
    assert sign_in.full_name == "/valv.auth.v1.AccountService/SignIn"
    assert sign_in.input is account_pb2.SignInRequest
    assert [(binding.verb, binding.path, binding.body) for binding in sign_in.bindings] == [
        ("POST", "/v1/session:signIn", "*")
    ]
    assert sign_in.policy.subject is Subject.NOBODY
    assert sign_in.policy.rate is RateClass.CREDENTIAL
    assert sign_in.policy.effect is Effect.WRITE
    assert sign_in.policy.max_request_bytes == DEFAULT_REQUEST_BYTES
    assert methods["get_session"].policy.passive


def test_head_is_a_second_binding_of_a_download() -> None:
    methods = {method.name: method for method in methods_of(file_pb2.DESCRIPTOR.services_by_name["ContentService"])}
    assert [binding.verb for binding in methods["download"].bindings] == ["GET", "HEAD"]
    assert methods["download"].policy.plain_http


def test_a_method_without_a_policy_does_not_start() -> None:
    with pytest.raises(PolicyError, match="no policy"):
        methods_of(_service(None))  # type: ignore[arg-type]  # the test hands over what types forbid, or a stand-in


@pytest.mark.parametrize(
    "change, complaint",
    [
        ({"callers": []}, "no callers"),
        ({"subject": policy_pb2.SUBJECT_UNSPECIFIED}, "no subject"),
        ({"rate": policy_pb2.RATE_CLASS_UNSPECIFIED}, "no rate class"),
        ({"rate": policy_pb2.RATE_CLASS_INTERNAL}, "the edge routes no internal class"),
        ({"audit": policy_pb2.AuditRule()}, "no effect"),
        ({"audit": policy_pb2.AuditRule(effect=policy_pb2.EFFECT_WRITE)}, "no action"),
        ({"audit": policy_pb2.AuditRule(effect=policy_pb2.EFFECT_UNRECORDED)}, "no reason for keeping no record"),
        ({"within": Duration(seconds=600)}, "only operators wait so long"),
        ({"subject": policy_pb2.SUBJECT_CUSTOMER, "callers": ["shop"]}, "customers come only by the edge"),
    ],
)
def test_a_policy_that_is_not_whole_does_not_start(change: dict[str, object], complaint: str) -> None:
    policy = _whole()
    for name, value in change.items():
        policy.ClearField(name)  # type: ignore[arg-type]  # the test hands over what types forbid, or a stand-in
        policy.MergeFrom(policy_pb2.Policy(**{name: value}))  # type: ignore[arg-type]  # the test hands over what types forbid, or a stand-in
    with pytest.raises(PolicyError, match=complaint):
        methods_of(_service(policy))  # type: ignore[arg-type]  # the test hands over what types forbid, or a stand-in
