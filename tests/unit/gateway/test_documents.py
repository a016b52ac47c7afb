"""What is printed from the contracts: the OpenAPI document, the access table, Envoy's bootstrap."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from google.protobuf import json_format

from services.gateway import access_table, contracts, openapi
from services.gateway.bootstrap import bootstrap
from services.gateway.config import RateConfig
from tests.unit.gateway.house import config

DOCUMENT = json.loads(openapi.document(contracts.exposed(), "https://valv.example"))


def test_the_document_describes_what_is_routed_and_nothing_else() -> None:
    described = {(verb.upper(), path) for path, operations in DOCUMENT["paths"].items() for verb in operations}
    routed = {(one.binding.verb, one.binding.path.replace("=**}", "}")) for one in contracts.exposed()}
    assert described == routed
    assert "Renew" not in json.dumps(DOCUMENT)


def test_every_reference_leads_somewhere() -> None:
    text = json.dumps(DOCUMENT)
    names = {part.partition('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert names <= set(DOCUMENT["components"]["schemas"])
    assert all(DOCUMENT["components"]["schemas"][name] for name in names)


def test_operations_say_who_may_call_them() -> None:
    assert DOCUMENT["paths"]["/v1/session:signIn"]["post"]["security"] == []
    assert DOCUMENT["paths"]["/v1/session"]["get"]["security"] == [{"cookie": []}, {"header": []}]
    operations = [operation for path in DOCUMENT["paths"].values() for operation in path.values()]
    assert all("default" in operation["responses"] for operation in operations)
    identifiers = [operation["operationId"] for operation in operations]
    assert len(identifiers) == len(set(identifiers))


def test_numbers_are_described_as_they_are_printed() -> None:
    size = DOCUMENT["components"]["schemas"]["files.v1.File"]["properties"]["size"]
    assert size == {"type": "string", "format": "uint64"}


def test_the_access_table_has_a_row_for_every_method() -> None:
    printed = access_table.markdown(contracts.methods())
    for method in contracts.methods():
        assert f"`{method.full_name[1:]}`" in printed
    assert printed.count("\n") == len(contracts.methods()) + 2


def test_the_bootstrap_is_what_envoy_takes_and_opens_no_port() -> None:
    made = bootstrap(config().envoy)
    assert made["admin"]["address"] == {"pipe": {"path": "/nowhere", "mode": 0o600}}
    assert "listeners" not in made["static_resources"]
    (cluster,) = made["static_resources"]["clusters"]
    tls = cluster["transport_socket"]["typed_config"]["common_tls_context"]
    assert set(tls["tls_params"].values()) == {"TLSv1_3"}
    names = tls["combined_validation_context"]["default_validation_context"]["match_typed_subject_alt_names"]
    assert names == [{"san_type": "URI", "matcher": {"exact": "spiffe://valv.localhost/gateway"}}]


def test_a_bootstrap_that_does_not_fit_is_refused() -> None:
    with pytest.raises(json_format.ParseError):
        bootstrap(replace(config().envoy, max_heap_bytes="much"))  # type: ignore[arg-type]  # the test hands over what types forbid, or a stand-in


@pytest.mark.parametrize("numbers", [(0, 60, 1), (60, 0, 1), (60, 60, 0), (2000, 60, 1)])
def test_rates_that_envoy_cannot_keep_are_refused(numbers: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="rate"):
        RateConfig(*numbers)
