"""gRPC server reflection: `grpc.reflection.v1`, and `v1alpha`, which differs only in its name."""

import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeAlias

from google.protobuf import descriptor_pool, text_format
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_reflection.v1alpha import reflection_pb2

from edgeclients.lane.calls import Call, Method, Status
from edgeclients.rpc.failures import decoded, streaming

METHOD: Final = "ServerReflectionInfo"
V1: Final = "grpc.reflection.v1.ServerReflection"
V1ALPHA: Final = "grpc.reflection.v1alpha.ServerReflection"

_POOL: Final = descriptor_pool.Default()

_File: TypeAlias = Any  # a descriptor of a file; protobuf has no type for it
_Response = reflection_pb2.ServerReflectionResponse


def method(services: Sequence[str]) -> Method:
    """The one method of both reflection services.

    Args:
        services: full names of the other services of the server.
    """
    _describe_v1()
    reflection = _Reflection(sorted((*services, V1, V1ALPHA)))

    async def serve(call: Call) -> None:
        while (message := await call.receive()) is not None:
            request = decoded(reflection_pb2.ServerReflectionRequest, message)
            await call.send(reflection.answer(request).SerializeToString())

    return streaming(METHOD, serve)


class _Reflection:
    """Answers requests from the pool of descriptors."""

    def __init__(self, services: Iterable[str]) -> None:
        self._services = [reflection_pb2.ServiceResponse(name=name) for name in services]
        self._by_kind: dict[str, Callable[[Any], Any]] = {
            "file_by_filename": lambda name: _files(_POOL.FindFileByName(name)),
            "file_containing_symbol": lambda name: _files(_file_of(name)),
            "file_containing_extension": lambda one: _files(_extension(one.containing_type, one.extension_number).file),
            "all_extension_numbers_of_type": _extensions,
            "list_services": lambda _: _Response(
                list_services_response=reflection_pb2.ListServiceResponse(service=self._services)
            ),
        }

    def answer(self, request: Any) -> Any:
        """The answer to one request."""
        kind = request.WhichOneof("message_request")
        if kind is None:
            answer = _error(Status.INVALID_ARGUMENT, "no request")
        else:
            try:
                answer = self._by_kind[kind](getattr(request, kind))
            except KeyError:
                answer = _error(Status.NOT_FOUND, "not found")
        answer.original_request.CopyFrom(request)
        answer.valid_host = request.host
        return answer


def _error(status: Status, text: str) -> Any:
    return _Response(error_response=reflection_pb2.ErrorResponse(error_code=status, error_message=text))


def _file_of(symbol: str) -> _File:
    """The file that describes a symbol. The pool itself does not find methods and enum values by name."""
    with contextlib.suppress(KeyError):
        return _POOL.FindFileContainingSymbol(symbol)
    parent, _, name = symbol.rpartition(".")
    with contextlib.suppress(KeyError):
        return _POOL.FindServiceByName(parent).methods_by_name[name].containing_service.file
    return _POOL.FindMessageTypeByName(parent).enum_values_by_name[name].type.file


def _extension(containing: str, number: int) -> Any:
    return _POOL.FindExtensionByNumber(_POOL.FindMessageTypeByName(containing), number)


def _extensions(containing: str) -> Any:
    numbers = sorted(one.number for one in _POOL.FindAllExtensions(_POOL.FindMessageTypeByName(containing)))
    found = reflection_pb2.ExtensionNumberResponse(base_type_name=containing, extension_number=numbers)
    return _Response(all_extension_numbers_response=found)


def _files(file: _File) -> Any:
    """The answer with a file, and with those that it needs."""
    found: dict[str, bytes] = {}
    _add(file, found)
    return _Response(file_descriptor_response=reflection_pb2.FileDescriptorResponse(file_descriptor_proto=found.values()))


def _add(file: _File, found: dict[str, bytes]) -> None:
    if file.name in found:
        return
    described = FileDescriptorProto()
    file.CopyToProto(described)
    found[file.name] = described.SerializeToString()
    for needed in file.dependencies:
        _add(needed, found)


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
