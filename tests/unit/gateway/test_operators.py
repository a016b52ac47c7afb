"""What operators call is not on the public edge: no route, no transcoding, no page of the description."""

from __future__ import annotations

import pytest

from services.gateway import contracts, openapi
from services.kit.policy import Subject
from tests.unit.gateway.house import composer, inputs


@pytest.mark.clause("P3", "ASVS 8.4.2")
def test_the_public_edge_routes_nothing_of_operators() -> None:
    own = [method for method in contracts.methods() if method.policy.subject is Subject.OPERATOR]
    assert len(own) >= 5
    services = {method.service for method in own}
    assert not [one for one in contracts.exposed() if one.method.service in services]
    described = openapi.document(contracts.exposed(), "https://valv.example")
    snapshot = composer().compose(inputs())
    pushed = b"".join(one.SerializeToString() for kind in snapshot.resources.values() for one in kind.values())
    assert b"/v1/session:signIn" in pushed, "the search finds nothing: it is broken"
    for method in own:
        name = method.full_name.rpartition("/")[2].encode()
        assert name not in described
        assert name not in pushed
    assert b"OperatorService" not in pushed
