import datetime

from google.api import annotations_pb2 as _annotations_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from valv.options.v1 import policy_pb2 as _policy_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ListPracticesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListPracticesResponse(_message.Message):
    __slots__ = ("practices",)
    PRACTICES_FIELD_NUMBER: _ClassVar[int]
    practices: _containers.RepeatedCompositeFieldContainer[Practice]
    def __init__(self, practices: _Optional[_Iterable[_Union[Practice, _Mapping]]] = ...) -> None: ...

class Practice(_message.Message):
    __slots__ = ("promise", "state", "checks")
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATE_UNSPECIFIED: _ClassVar[Practice.State]
        STATE_NO_CHECK: _ClassVar[Practice.State]
        STATE_UNKNOWN: _ClassVar[Practice.State]
        STATE_KEPT: _ClassVar[Practice.State]
        STATE_BROKEN: _ClassVar[Practice.State]
    STATE_UNSPECIFIED: Practice.State
    STATE_NO_CHECK: Practice.State
    STATE_UNKNOWN: Practice.State
    STATE_KEPT: Practice.State
    STATE_BROKEN: Practice.State
    PROMISE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CHECKS_FIELD_NUMBER: _ClassVar[int]
    promise: str
    state: Practice.State
    checks: _containers.RepeatedCompositeFieldContainer[Check]
    def __init__(self, promise: _Optional[str] = ..., state: _Optional[_Union[Practice.State, str]] = ..., checks: _Optional[_Iterable[_Union[Check, _Mapping]]] = ...) -> None: ...

class Check(_message.Message):
    __slots__ = ("check", "state", "time", "event", "index", "measured")
    CHECK_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    MEASURED_FIELD_NUMBER: _ClassVar[int]
    check: str
    state: Practice.State
    time: _timestamp_pb2.Timestamp
    event: str
    index: int
    measured: int
    def __init__(self, check: _Optional[str] = ..., state: _Optional[_Union[Practice.State, str]] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., event: _Optional[str] = ..., index: _Optional[int] = ..., measured: _Optional[int] = ...) -> None: ...
