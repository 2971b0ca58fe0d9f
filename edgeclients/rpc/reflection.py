"""gRPC server reflection: `grpc.reflection.v1`, and `v1alpha`, which differs only in its name."""

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final

import grpc
from google.protobuf import descriptor_pool, text_format
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.message import Message
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.reflection import aio

from edgeclients.rpc.failures import decoded, reporting_failures
from edgeclients.rpc.receiving import Receiving
from edgeclients.rpc.traced import Context

METHOD: Final = "ServerReflectionInfo"
V1: Final = "grpc.reflection.v1.ServerReflection"
V1ALPHA: Final = "grpc.reflection.v1alpha.ServerReflection"

_POOL: Final = descriptor_pool.Default()


def handler(services: Sequence[str], receiving: Receiving) -> grpc.RpcMethodHandler:
    """The handler of the one method of both reflection services.

    Args:
        services: full names of the other services of the server.
        receiving: receives messages.
    """
    _describe_v1()
    servicer = aio.ReflectionServicer((*services, V1, V1ALPHA), pool=_SymbolPool())

    async def requests(context: Context) -> AsyncIterator[Message]:
        while (message := await receiving.next(context)) is not None:
            yield decoded(reflection_pb2.ServerReflectionRequest, message)

    async def serve(context: Context) -> None:
        async for answer in servicer.ServerReflectionInfo(requests(context), context):
            await context.write(answer.SerializeToString())

    return grpc.stream_stream_rpc_method_handler(reporting_failures("ServerReflectionInfo", serve))


class _SymbolPool:
    """The pool of descriptors, which here also finds methods and enum values by name."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method: Callable[..., Any] = getattr(_POOL, name)
        return method

    def FindFileContainingSymbol(self, symbol: str) -> Any:  # noqa: N802 - the name in a pool
        with contextlib.suppress(KeyError):
            return _POOL.FindFileContainingSymbol(symbol)
        parent, _, name = symbol.rpartition(".")
        with contextlib.suppress(KeyError):
            service = _POOL.FindServiceByName(parent)
            return service.methods_by_name[name].containing_service.file
        return _POOL.FindMessageTypeByName(parent).enum_values_by_name[name].type.file


def _describe_v1() -> None:
    """Add v1 to the pool: the messages of v1alpha in another package."""
    with contextlib.suppress(KeyError):
        _POOL.FindServiceByName(V1)
        return
    described = FileDescriptorProto()
    reflection_pb2.DESCRIPTOR.CopyToProto(described)
    renamed = text_format.Parse(str(described).replace("v1alpha", "v1"), FileDescriptorProto())
    renamed.name = "grpc/reflection/v1/reflection.proto"
    _POOL.AddSerializedFile(renamed.SerializeToString())
