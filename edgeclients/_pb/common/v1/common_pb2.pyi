from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RetrieveEntityReq(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class RetrieveEntityRes(_message.Message):
    __slots__ = ("entity",)
    ENTITY_FIELD_NUMBER: _ClassVar[int]
    entity: EntityBasic
    def __init__(self, entity: _Optional[_Union[EntityBasic, _Mapping]] = ...) -> None: ...

class RetrieveEntitiesReq(_message.Message):
    __slots__ = ("ids",)
    IDS_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, ids: _Optional[_Iterable[str]] = ...) -> None: ...

class RetrieveEntitiesRes(_message.Message):
    __slots__ = ("total", "limit", "offset", "entities")
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    ENTITIES_FIELD_NUMBER: _ClassVar[int]
    total: int
    limit: int
    offset: int
    entities: _containers.RepeatedCompositeFieldContainer[EntityBasic]
    def __init__(self, total: _Optional[int] = ..., limit: _Optional[int] = ..., offset: _Optional[int] = ..., entities: _Optional[_Iterable[_Union[EntityBasic, _Mapping]]] = ...) -> None: ...

class EntityBasic(_message.Message):
    __slots__ = ("id", "domain_id", "parent_group_id", "status")
    ID_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_ID_FIELD_NUMBER: _ClassVar[int]
    PARENT_GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    id: str
    domain_id: str
    parent_group_id: str
    status: int
    def __init__(self, id: _Optional[str] = ..., domain_id: _Optional[str] = ..., parent_group_id: _Optional[str] = ..., status: _Optional[int] = ...) -> None: ...

class AddConnectionsReq(_message.Message):
    __slots__ = ("connections",)
    CONNECTIONS_FIELD_NUMBER: _ClassVar[int]
    connections: _containers.RepeatedCompositeFieldContainer[Connection]
    def __init__(self, connections: _Optional[_Iterable[_Union[Connection, _Mapping]]] = ...) -> None: ...

class AddConnectionsRes(_message.Message):
    __slots__ = ("ok",)
    OK_FIELD_NUMBER: _ClassVar[int]
    ok: bool
    def __init__(self, ok: _Optional[bool] = ...) -> None: ...

class RemoveConnectionsReq(_message.Message):
    __slots__ = ("connections",)
    CONNECTIONS_FIELD_NUMBER: _ClassVar[int]
    connections: _containers.RepeatedCompositeFieldContainer[Connection]
    def __init__(self, connections: _Optional[_Iterable[_Union[Connection, _Mapping]]] = ...) -> None: ...

class RemoveConnectionsRes(_message.Message):
    __slots__ = ("ok",)
    OK_FIELD_NUMBER: _ClassVar[int]
    ok: bool
    def __init__(self, ok: _Optional[bool] = ...) -> None: ...

class Connection(_message.Message):
    __slots__ = ("client_id", "channel_id", "domain_id", "type")
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_ID_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_ID_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    client_id: str
    channel_id: str
    domain_id: str
    type: int
    def __init__(self, client_id: _Optional[str] = ..., channel_id: _Optional[str] = ..., domain_id: _Optional[str] = ..., type: _Optional[int] = ...) -> None: ...

class RetrieveIDByRouteReq(_message.Message):
    __slots__ = ("route", "domain_id")
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_ID_FIELD_NUMBER: _ClassVar[int]
    route: str
    domain_id: str
    def __init__(self, route: _Optional[str] = ..., domain_id: _Optional[str] = ...) -> None: ...
