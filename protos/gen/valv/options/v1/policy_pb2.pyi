import datetime

from google.protobuf import descriptor_pb2 as _descriptor_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Subject(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SUBJECT_UNSPECIFIED: _ClassVar[Subject]
    SUBJECT_NOBODY: _ClassVar[Subject]
    SUBJECT_CUSTOMER: _ClassVar[Subject]
    SUBJECT_OPERATOR: _ClassVar[Subject]
    SUBJECT_SERVICE: _ClassVar[Subject]

class Effect(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EFFECT_UNSPECIFIED: _ClassVar[Effect]
    EFFECT_READ: _ClassVar[Effect]
    EFFECT_WRITE: _ClassVar[Effect]
    EFFECT_UNRECORDED: _ClassVar[Effect]

class RateClass(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RATE_CLASS_UNSPECIFIED: _ClassVar[RateClass]
    RATE_CLASS_PUBLIC: _ClassVar[RateClass]
    RATE_CLASS_CREDENTIAL: _ClassVar[RateClass]
    RATE_CLASS_CUSTOMER: _ClassVar[RateClass]
    RATE_CLASS_TRANSFER: _ClassVar[RateClass]
    RATE_CLASS_INTERNAL: _ClassVar[RateClass]

class Transport(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TRANSPORT_UNSPECIFIED: _ClassVar[Transport]
    TRANSPORT_HTTP: _ClassVar[Transport]
SUBJECT_UNSPECIFIED: Subject
SUBJECT_NOBODY: Subject
SUBJECT_CUSTOMER: Subject
SUBJECT_OPERATOR: Subject
SUBJECT_SERVICE: Subject
EFFECT_UNSPECIFIED: Effect
EFFECT_READ: Effect
EFFECT_WRITE: Effect
EFFECT_UNRECORDED: Effect
RATE_CLASS_UNSPECIFIED: RateClass
RATE_CLASS_PUBLIC: RateClass
RATE_CLASS_CREDENTIAL: RateClass
RATE_CLASS_CUSTOMER: RateClass
RATE_CLASS_TRANSFER: RateClass
RATE_CLASS_INTERNAL: RateClass
TRANSPORT_UNSPECIFIED: Transport
TRANSPORT_HTTP: Transport
POLICY_FIELD_NUMBER: _ClassVar[int]
policy: _descriptor.FieldDescriptor

class Policy(_message.Message):
    __slots__ = ("callers", "subject", "fresh_within", "rate", "audit", "passive", "idempotency_key", "transport", "max_request_bytes", "media_types", "any_origin")
    CALLERS_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    FRESH_WITHIN_FIELD_NUMBER: _ClassVar[int]
    RATE_FIELD_NUMBER: _ClassVar[int]
    AUDIT_FIELD_NUMBER: _ClassVar[int]
    PASSIVE_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    TRANSPORT_FIELD_NUMBER: _ClassVar[int]
    MAX_REQUEST_BYTES_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPES_FIELD_NUMBER: _ClassVar[int]
    ANY_ORIGIN_FIELD_NUMBER: _ClassVar[int]
    callers: _containers.RepeatedScalarFieldContainer[str]
    subject: Subject
    fresh_within: _duration_pb2.Duration
    rate: RateClass
    audit: AuditRule
    passive: bool
    idempotency_key: bool
    transport: Transport
    max_request_bytes: int
    media_types: _containers.RepeatedScalarFieldContainer[str]
    any_origin: bool
    def __init__(self, callers: _Optional[_Iterable[str]] = ..., subject: _Optional[_Union[Subject, str]] = ..., fresh_within: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., rate: _Optional[_Union[RateClass, str]] = ..., audit: _Optional[_Union[AuditRule, _Mapping]] = ..., passive: _Optional[bool] = ..., idempotency_key: _Optional[bool] = ..., transport: _Optional[_Union[Transport, str]] = ..., max_request_bytes: _Optional[int] = ..., media_types: _Optional[_Iterable[str]] = ..., any_origin: _Optional[bool] = ...) -> None: ...

class AuditRule(_message.Message):
    __slots__ = ("action", "effect", "because")
    ACTION_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    BECAUSE_FIELD_NUMBER: _ClassVar[int]
    action: str
    effect: Effect
    because: str
    def __init__(self, action: _Optional[str] = ..., effect: _Optional[_Union[Effect, str]] = ..., because: _Optional[str] = ...) -> None: ...
