"""Which proofs there are; what they hold is in test_proofs."""

from __future__ import annotations

import pytest

from services.audit import merkle
from services.audit.merkle import ProofError


@pytest.mark.parametrize("index,size", [(-1, 1), (1, 1), (0, 0), (5, 3)])
def test_a_leaf_outside_the_tree_has_no_proof(index: int, size: int) -> None:
    with pytest.raises(ProofError):
        merkle.inclusion_spans(index, size)
    with pytest.raises(ProofError):
        merkle.check_inclusion(bytes(32), index, size, [], bytes(32))


@pytest.mark.parametrize("old,new", [(2, 1), (-1, 1)])
def test_no_tree_begins_with_a_larger_one(old: int, new: int) -> None:
    with pytest.raises(ProofError):
        merkle.consistency_spans(old, new)
    with pytest.raises(ProofError):
        merkle.check_consistency(old, new, [], bytes(32), bytes(32))
