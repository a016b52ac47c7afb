import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTCOME_UNSPECIFIED: _ClassVar[Outcome]
    OUTCOME_SUCCESS: _ClassVar[Outcome]
    OUTCOME_DENIED: _ClassVar[Outcome]
    OUTCOME_FAILED: _ClassVar[Outcome]
OUTCOME_UNSPECIFIED: Outcome
OUTCOME_SUCCESS: Outcome
OUTCOME_DENIED: Outcome
OUTCOME_FAILED: Outcome

class Event(_message.Message):
    __slots__ = ("event_id", "time", "action", "outcome", "reason", "actor", "subject", "object", "origin", "request_id", "trace_id", "session", "details")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    OBJECT_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    time: _timestamp_pb2.Timestamp
    action: str
    outcome: Outcome
    reason: str
    actor: Actor
    subject: str
    object: Object
    origin: Origin
    request_id: str
    trace_id: str
    session: str
    details: Details
    def __init__(self, event_id: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., action: _Optional[str] = ..., outcome: _Optional[_Union[Outcome, str]] = ..., reason: _Optional[str] = ..., actor: _Optional[_Union[Actor, _Mapping]] = ..., subject: _Optional[str] = ..., object: _Optional[_Union[Object, _Mapping]] = ..., origin: _Optional[_Union[Origin, _Mapping]] = ..., request_id: _Optional[str] = ..., trace_id: _Optional[str] = ..., session: _Optional[str] = ..., details: _Optional[_Union[Details, _Mapping]] = ...) -> None: ...

class Actor(_message.Message):
    __slots__ = ("kind", "id")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        KIND_UNSPECIFIED: _ClassVar[Actor.Kind]
        KIND_NOBODY: _ClassVar[Actor.Kind]
        KIND_CUSTOMER: _ClassVar[Actor.Kind]
        KIND_OPERATOR: _ClassVar[Actor.Kind]
        KIND_SERVICE: _ClassVar[Actor.Kind]
    KIND_UNSPECIFIED: Actor.Kind
    KIND_NOBODY: Actor.Kind
    KIND_CUSTOMER: Actor.Kind
    KIND_OPERATOR: Actor.Kind
    KIND_SERVICE: Actor.Kind
    KIND_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    kind: Actor.Kind
    id: str
    def __init__(self, kind: _Optional[_Union[Actor.Kind, str]] = ..., id: _Optional[str] = ...) -> None: ...

class Object(_message.Message):
    __slots__ = ("kind", "id")
    KIND_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    kind: str
    id: str
    def __init__(self, kind: _Optional[str] = ..., id: _Optional[str] = ...) -> None: ...

class Origin(_message.Message):
    __slots__ = ("address", "device")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    address: str
    device: str
    def __init__(self, address: _Optional[str] = ..., device: _Optional[str] = ...) -> None: ...

class Details(_message.Message):
    __slots__ = ("bytes", "range_start", "amount_minor", "currency", "count", "window_seconds", "version", "factor", "state", "digest")
    BYTES_FIELD_NUMBER: _ClassVar[int]
    RANGE_START_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_MINOR_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    WINDOW_SECONDS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    FACTOR_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    bytes: int
    range_start: int
    amount_minor: int
    currency: str
    count: int
    window_seconds: int
    version: str
    factor: str
    state: str
    digest: str
    def __init__(self, bytes: _Optional[int] = ..., range_start: _Optional[int] = ..., amount_minor: _Optional[int] = ..., currency: _Optional[str] = ..., count: _Optional[int] = ..., window_seconds: _Optional[int] = ..., version: _Optional[str] = ..., factor: _Optional[str] = ..., state: _Optional[str] = ..., digest: _Optional[str] = ...) -> None: ...
