from edgeclients._pb.common.v1 import common_pb2 as _common_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class AuthnReq(_message.Message):
    __slots__ = ("token",)
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    token: str
    def __init__(self, token: _Optional[str] = ...) -> None: ...

class AuthnRes(_message.Message):
    __slots__ = ("authenticated", "id")
    AUTHENTICATED_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    authenticated: bool
    id: str
    def __init__(self, authenticated: _Optional[bool] = ..., id: _Optional[str] = ...) -> None: ...

class RemoveChannelConnectionsReq(_message.Message):
    __slots__ = ("channel_id",)
    CHANNEL_ID_FIELD_NUMBER: _ClassVar[int]
    channel_id: str
    def __init__(self, channel_id: _Optional[str] = ...) -> None: ...

class RemoveChannelConnectionsRes(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class UnsetParentGroupFromClientReq(_message.Message):
    __slots__ = ("parent_group_id",)
    PARENT_GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    parent_group_id: str
    def __init__(self, parent_group_id: _Optional[str] = ...) -> None: ...

class UnsetParentGroupFromClientRes(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
