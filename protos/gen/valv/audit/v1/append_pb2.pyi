from valv.audit.v1 import event_pb2 as _event_pb2
from valv.options.v1 import policy_pb2 as _policy_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class AppendRequest(_message.Message):
    __slots__ = ("epoch", "predecessor", "first_number", "events")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    PREDECESSOR_FIELD_NUMBER: _ClassVar[int]
    FIRST_NUMBER_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    epoch: str
    predecessor: str
    first_number: int
    events: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, epoch: _Optional[str] = ..., predecessor: _Optional[str] = ..., first_number: _Optional[int] = ..., events: _Optional[_Iterable[bytes]] = ...) -> None: ...

class AppendResponse(_message.Message):
    __slots__ = ("highest_number",)
    HIGHEST_NUMBER_FIELD_NUMBER: _ClassVar[int]
    highest_number: int
    def __init__(self, highest_number: _Optional[int] = ...) -> None: ...

class GetHeadRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetHeadResponse(_message.Message):
    __slots__ = ("epoch", "highest_number")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    HIGHEST_NUMBER_FIELD_NUMBER: _ClassVar[int]
    epoch: str
    highest_number: int
    def __init__(self, epoch: _Optional[str] = ..., highest_number: _Optional[int] = ...) -> None: ...
