from __future__ import annotations

from importlib import import_module

import pytest
from google.protobuf.descriptor import FieldDescriptor, FileDescriptor, ServiceDescriptor

from services.gateway import access_table
from services.kit.policy import Effect, methods_of
from tests.architecture.repository import ROOT, SERVICES

ROLES = {*SERVICES, "envoy", "shop", "operator"}
SECRET_WORDS = {"password", "token", "secret", "otp", "pan", "cvc", "assertion", "seed", "pin"}
# A page token is a position in a list.
HARMLESS = {"page_token", "next_page_token"}


def contracts() -> list[FileDescriptor]:
    names = sorted(path.relative_to(ROOT / "protos") for path in (ROOT / "protos/valv").rglob("*.proto"))
    modules = (import_module(".".join(name.with_suffix("").parts) + "_pb2") for name in names)
    return [module.DESCRIPTOR for module in modules]


def services() -> list[ServiceDescriptor]:
    return [service for file in contracts() for service in file.services_by_name.values()]


def fields() -> list[FieldDescriptor]:
    found: list[FieldDescriptor] = []
    waiting = [message for file in contracts() for message in file.message_types_by_name.values()]
    while waiting:
        message = waiting.pop()
        found += message.fields
        waiting += message.nested_types
    return found


@pytest.mark.clause("P3", "P5")
@pytest.mark.parametrize("service", services(), ids=lambda service: service.name)
def test_every_method_has_a_whole_policy(service: ServiceDescriptor) -> None:
    methods = methods_of(service)
    assert len(methods) == len(service.methods) > 0
    for method in methods:
        assert method.policy.callers <= ROLES, f"{method.full_name} names a role that does not exist"
        if "envoy" in method.policy.callers:
            assert method.bindings, f"{method.full_name} admits the edge, which has no route to it"


@pytest.mark.clause("P5")
def test_actions_are_named_once_and_after_their_service() -> None:
    recorded = [
        method
        for service in services()
        for method in methods_of(service)
        if method.policy.effect is not Effect.UNRECORDED
    ]
    for method in recorded:
        for alternative in method.policy.alternatives:
            assert alternative.split(".")[0] == method.full_name.split(".")[1], f"{method.full_name}: {alternative}"
    actions = [(method.policy.action, method.full_name) for method in recorded]
    for action, name in actions:
        assert action.split(".")[0] == name.split(".")[1], f"{name} records {action}"
    assert len({action for action, _ in actions}) == len(actions)


def test_every_route_belongs_to_one_method() -> None:
    routes = [
        (binding.verb, binding.path)
        for service in services()
        for method in methods_of(service)
        for binding in method.bindings
    ]
    assert sorted(set(routes)) == sorted(routes)


@pytest.mark.clause("P6", "P11")
def test_every_secret_field_is_redacted() -> None:
    secret = [field for field in fields() if SECRET_WORDS & set(field.name.split("_")) and field.name not in HARMLESS]
    strings = [field for field in secret if field.type in {FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES}]
    assert strings, "the search finds nothing: it is broken"
    assert [field.full_name for field in strings if not field.GetOptions().debug_redact] == []


def test_the_access_table_in_the_docs_is_what_the_contracts_say() -> None:
    assert (ROOT / "docs/access.md").read_text("utf-8") == access_table.document(), "run make protos"
