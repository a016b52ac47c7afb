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

class Money(_message.Message):
    __slots__ = ("currency", "minor")
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    MINOR_FIELD_NUMBER: _ClassVar[int]
    currency: str
    minor: int
    def __init__(self, currency: _Optional[str] = ..., minor: _Optional[int] = ...) -> None: ...

class Charge(_message.Message):
    __slots__ = ("charge_id", "account_id", "card_id", "amount", "refunded_minor", "state", "decline_code", "merchant", "reference", "create_time", "last4")
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATE_UNSPECIFIED: _ClassVar[Charge.State]
        STATE_PENDING: _ClassVar[Charge.State]
        STATE_SUCCEEDED: _ClassVar[Charge.State]
        STATE_DECLINED: _ClassVar[Charge.State]
        STATE_UNKNOWN: _ClassVar[Charge.State]
    STATE_UNSPECIFIED: Charge.State
    STATE_PENDING: Charge.State
    STATE_SUCCEEDED: Charge.State
    STATE_DECLINED: Charge.State
    STATE_UNKNOWN: Charge.State
    CHARGE_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    CARD_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    REFUNDED_MINOR_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    DECLINE_CODE_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    LAST4_FIELD_NUMBER: _ClassVar[int]
    charge_id: str
    account_id: str
    card_id: str
    amount: Money
    refunded_minor: int
    state: Charge.State
    decline_code: str
    merchant: str
    reference: str
    create_time: _timestamp_pb2.Timestamp
    last4: str
    def __init__(self, charge_id: _Optional[str] = ..., account_id: _Optional[str] = ..., card_id: _Optional[str] = ..., amount: _Optional[_Union[Money, _Mapping]] = ..., refunded_minor: _Optional[int] = ..., state: _Optional[_Union[Charge.State, str]] = ..., decline_code: _Optional[str] = ..., merchant: _Optional[str] = ..., reference: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last4: _Optional[str] = ...) -> None: ...

class Refund(_message.Message):
    __slots__ = ("refund_id", "charge_id", "amount", "state")
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATE_UNSPECIFIED: _ClassVar[Refund.State]
        STATE_PENDING: _ClassVar[Refund.State]
        STATE_SUCCEEDED: _ClassVar[Refund.State]
        STATE_FAILED: _ClassVar[Refund.State]
        STATE_UNKNOWN: _ClassVar[Refund.State]
    STATE_UNSPECIFIED: Refund.State
    STATE_PENDING: Refund.State
    STATE_SUCCEEDED: Refund.State
    STATE_FAILED: Refund.State
    STATE_UNKNOWN: Refund.State
    REFUND_ID_FIELD_NUMBER: _ClassVar[int]
    CHARGE_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    refund_id: str
    charge_id: str
    amount: Money
    state: Refund.State
    def __init__(self, refund_id: _Optional[str] = ..., charge_id: _Optional[str] = ..., amount: _Optional[_Union[Money, _Mapping]] = ..., state: _Optional[_Union[Refund.State, str]] = ...) -> None: ...

class ListChargesRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListChargesResponse(_message.Message):
    __slots__ = ("charges", "next_page_token")
    CHARGES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    charges: _containers.RepeatedCompositeFieldContainer[Charge]
    next_page_token: str
    def __init__(self, charges: _Optional[_Iterable[_Union[Charge, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class CreateChargeRequest(_message.Message):
    __slots__ = ("idempotency_key", "account_id", "card_id", "amount", "reference")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    CARD_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    account_id: str
    card_id: str
    amount: Money
    reference: str
    def __init__(self, idempotency_key: _Optional[str] = ..., account_id: _Optional[str] = ..., card_id: _Optional[str] = ..., amount: _Optional[_Union[Money, _Mapping]] = ..., reference: _Optional[str] = ...) -> None: ...

class CreateChargeResponse(_message.Message):
    __slots__ = ("charge",)
    CHARGE_FIELD_NUMBER: _ClassVar[int]
    charge: Charge
    def __init__(self, charge: _Optional[_Union[Charge, _Mapping]] = ...) -> None: ...

class CreateRefundRequest(_message.Message):
    __slots__ = ("idempotency_key", "charge_id", "amount_minor")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    CHARGE_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_MINOR_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    charge_id: str
    amount_minor: int
    def __init__(self, idempotency_key: _Optional[str] = ..., charge_id: _Optional[str] = ..., amount_minor: _Optional[int] = ...) -> None: ...

class CreateRefundResponse(_message.Message):
    __slots__ = ("refund",)
    REFUND_FIELD_NUMBER: _ClassVar[int]
    refund: Refund
    def __init__(self, refund: _Optional[_Union[Refund, _Mapping]] = ...) -> None: ...

class GetChargeRequest(_message.Message):
    __slots__ = ("charge_id",)
    CHARGE_ID_FIELD_NUMBER: _ClassVar[int]
    charge_id: str
    def __init__(self, charge_id: _Optional[str] = ...) -> None: ...

class GetChargeResponse(_message.Message):
    __slots__ = ("charge",)
    CHARGE_FIELD_NUMBER: _ClassVar[int]
    charge: Charge
    def __init__(self, charge: _Optional[_Union[Charge, _Mapping]] = ...) -> None: ...
