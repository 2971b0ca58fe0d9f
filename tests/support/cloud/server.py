"""Auth, domains, groups and channels services over gRPC on one port, answering from a `World`."""

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Self, TypeVar

import grpc

from edgeclients._pb.auth.v1 import auth_pb2, auth_pb2_grpc
from edgeclients._pb.channels.v1 import channels_pb2, channels_pb2_grpc
from edgeclients._pb.common.v1 import common_pb2
from edgeclients._pb.domains.v1 import domains_pb2_grpc
from edgeclients._pb.groups.v1 import groups_pb2_grpc
from tests.support.certificates import Pair
from tests.support.cloud.world import Scope, World
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE

T = TypeVar("T")

Peer = Any  # a grpc.ServicerContext


class Fault(NamedTuple):
    """What is answered in place of an answer; None lets the answer through, after `gate` is opened if there is one."""

    code: grpc.StatusCode | None = None
    gate: threading.Event | None = None
    times: int = 1_000_000


class Call(NamedTuple):
    """A call as it came in."""

    method: str
    request: Any
    metadata: dict[str, Any]


class Cloud:
    """The services. It keeps its port while it is away.

    Args:
        world: what they answer from.
        tls: their certificate; None serves without TLS.
        client_ca: who signs callers' certificates; None demands none.
    """

    def __init__(self, world: World, tls: Pair | None = None, client_ca: str = "") -> None:
        self.world = world
        self.calls: list[Call] = []
        self.faults: dict[str, Fault] = {}
        self.port = free_port()
        self._tls, self._client_ca = tls, client_ca
        self._lock = threading.Lock()
        self._server: grpc.Server | None = None

    @property
    def address(self) -> str:
        return f"localhost:{self.port}" if self._tls else f"127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.come_back()
        return self

    def __exit__(self, *_: object) -> None:
        self.go_away()

    def go_away(self) -> None:
        """Nobody listens any more."""
        if self._server is not None:
            self._server.stop(None).wait()
        self._server = None

    def come_back(self) -> None:
        """Listen, where it did before."""
        server = grpc.server(ThreadPoolExecutor(32), options=(("grpc.so_reuseport", 0),))
        auth_pb2_grpc.add_AuthServiceServicer_to_server(_Auth(self), server)  # type: ignore[no-untyped-call]
        domains_pb2_grpc.add_DomainsServiceServicer_to_server(_Domains(self), server)  # type: ignore[no-untyped-call]
        groups_pb2_grpc.add_GroupsServiceServicer_to_server(_Groups(self), server)  # type: ignore[no-untyped-call]
        channels_pb2_grpc.add_ChannelsServiceServicer_to_server(_Channels(self), server)  # type: ignore[no-untyped-call]
        target = f"127.0.0.1:{self.port}"
        if self._tls is None:
            server.add_insecure_port(target)
        else:
            pair = (self._tls.key.encode(), self._tls.certificate.encode())
            authority = self._client_ca.encode() or None
            server.add_secure_port(
                target, grpc.ssl_server_credentials([pair], authority, require_client_auth=authority is not None)
            )
        server.start()
        self._server = server

    def show(self, tls: Pair, client_ca: str = "") -> None:
        """What it has when it comes back."""
        self._tls, self._client_ca = tls, client_ca

    def asked(self, method: str) -> list[Any]:
        """The requests of a method so far."""
        return [call.request for call in self.calls if call.method == method]

    def begin(self, method: str, request: Any, context: Peer) -> None:
        """Note a call, and do to it what is to be done."""
        with self._lock:
            self.calls.append(Call(method, request, dict(context.invocation_metadata())))
            fault = self.faults.get(method)
            if fault is not None:
                left = fault.times - 1
                self.faults[method] = fault._replace(times=left)
                if left <= 0:
                    del self.faults[method]
        if fault is None:
            return
        if fault.gate is not None:
            fault.gate.wait(PATIENCE)
        if fault.code is not None:
            context.abort(fault.code, "as the test wants it")


def _known(things: Mapping[str, T], name: str, context: Peer, otherwise: grpc.StatusCode) -> T:
    """What has this name; the call ends here if nothing has."""
    if name not in things:
        context.abort(otherwise, "not known")
    return things[name]


class _Auth(auth_pb2_grpc.AuthServiceServicer):
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def Authenticate(self, request: Any, context: Peer) -> Any:  # noqa: N802 - gRPC's name
        self._cloud.begin("Authenticate", request, context)
        bearer = _known(self._cloud.world.tokens, request.token, context, grpc.StatusCode.UNAUTHENTICATED)
        return auth_pb2.AuthNRes(
            id=bearer.id,
            user_id=bearer.user_id,
            user_role=bearer.role,
            verified=bearer.verified,
            token_type=bearer.type,
        )

    def Authorize(self, request: Any, context: Peer) -> Any:  # noqa: N802 - gRPC's name
        self._cloud.begin("Authorize", request, context)
        world, policy = self._cloud.world, request.policy_req
        allowed = policy.subject_type == "user" and world.allows(
            policy.subject, policy.permission, policy.object_type, policy.object
        )
        if request.HasField("pat_req"):
            pat = request.pat_req
            scope = Scope(pat.domain, pat.operation, pat.entity_id, pat.entity_type)
            allowed = allowed and world.fits(pat.pat_id, pat.user_id, scope)
        if not allowed:
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "failed to perform authorization over the entity")
        return auth_pb2.AuthZRes(authorized=True)


class _Domains(domains_pb2_grpc.DomainsServiceServicer):
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def RetrieveStatus(self, request: Any, context: Peer) -> Any:  # noqa: N802 - gRPC's name
        self._cloud.begin("RetrieveStatus", request, context)
        domain = _known(self._cloud.world.domains, request.id, context, grpc.StatusCode.NOT_FOUND)
        return common_pb2.RetrieveEntityRes(entity=common_pb2.EntityBasic(status=domain.status))


class _Groups(groups_pb2_grpc.GroupsServiceServicer):
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def RetrieveEntity(self, request: Any, context: Peer) -> Any:  # noqa: N802 - gRPC's name
        self._cloud.begin("RetrieveEntity", request, context)
        group = _known(self._cloud.world.groups, request.id, context, grpc.StatusCode.NOT_FOUND)
        entity = common_pb2.EntityBasic(id=request.id, domain_id=group.domain, status=group.status)
        return common_pb2.RetrieveEntityRes(entity=entity)


class _Channels(channels_pb2_grpc.ChannelsServiceServicer):
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def RemoveClientConnections(self, request: Any, context: Peer) -> Any:  # noqa: N802 - gRPC's name
        self._cloud.begin("RemoveClientConnections", request, context)
        self._cloud.world.forgotten.append(request.client_id)
        return channels_pb2.RemoveClientConnectionsRes()
