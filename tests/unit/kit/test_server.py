"""How long a call may take."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.kit import server
from services.kit.policy import methods_of
from valv.files.v1 import file_pb2


class Context:
    """A call whose caller waits for so long; None for ever."""

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds

    def time_remaining(self) -> float | None:
        return self._seconds


@pytest.mark.parametrize(
    "asked, given, seconds",
    [(None, 0, None), (5, 0, 5), (900, 0, 60), (5, 600, 5), (900, 600, 600)],
)
def test_a_call_takes_as_long_as_its_caller_and_its_policy_allow(
    asked: float | None, given: int, seconds: float | None
) -> None:
    (method, *_) = methods_of(file_pb2.DESCRIPTOR.services_by_name["FileService"])
    method = replace(method, policy=replace(method.policy, within=given))
    assert server._seconds(Context(asked), method).get("seconds") == seconds  # type: ignore[arg-type]  # a stand-in
