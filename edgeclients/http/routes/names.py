"""Which operation a request asks for, by its method and path, where it was turned away before it was routed."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from edgeclients.http.scope import is_protected

_ANY = "*"


class Named(NamedTuple):
    """A route with the name of its operation; `path` is as OpenAPI has it, `/{domain_id}/clients`."""

    method: str
    path: str
    operation: str


class OperationNames:
    """The names of operations; nothing that a caller sends gets into one.

    Args:
        routes: all there are.
    """

    def __init__(self, routes: Iterable[Named]) -> None:
        self._names: dict[tuple[str, tuple[str, ...]], str] = {}
        self._words: set[str] = set()
        for method, path, operation in routes:
            shape = tuple(_ANY if segment.startswith("{") else segment for segment in path.split("/")[1:])
            self._names[method, shape] = operation
            self._words.update(shape)

    def at(self, method: str, segments: Sequence[str]) -> str:
        """The operation; empty if there is none.

        Args:
            method: of the request.
            segments: of its path, each decoded.
        """
        behind = segments[1:] if is_protected(segments) else segments
        shape = [segment if segment in self._words else _ANY for segment in behind]
        if len(shape) > 1 and behind[-1] == "":
            shape.pop()  # a trailing slash
        if behind is not segments:
            shape.insert(0, _ANY)  # a domain
        return self._names.get((method, tuple(shape)), "")
