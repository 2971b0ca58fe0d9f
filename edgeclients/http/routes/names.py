"""Names of operations by method and path, for requests rejected before routing."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from edgeclients.http.scope import is_protected

_ANY = "*"


class Named(NamedTuple):
    """A route and the name of its operation; `path` is in OpenAPI syntax, `/{domain_id}/clients`."""

    method: str
    path: str
    operation: str


class OperationNames:
    """Looks up names of operations, which never contain text from a caller.

    Args:
        routes: all routes.
    """

    def __init__(self, routes: Iterable[Named]) -> None:
        self._names: dict[tuple[str, tuple[str, ...]], str] = {}
        self._literals: set[str] = set()
        for method, path, operation in routes:
            shape = tuple(_ANY if segment.startswith("{") else segment for segment in path.split("/")[1:])
            self._names[method, shape] = operation
            self._literals.update(shape)

    def at(self, method: str, segments: Sequence[str]) -> str:
        """The operation; empty if there is none.

        Args:
            method: method of the request.
            segments: decoded segments of its path.
        """
        below_domain = segments[1:] if is_protected(segments) else segments
        shape = [segment if segment in self._literals else _ANY for segment in below_domain]
        if len(shape) > 1 and below_domain[-1] == "":
            shape.pop()  # a trailing slash
        if below_domain is not segments:
            shape.insert(0, _ANY)  # a domain
        return self._names.get((method, tuple(shape)), "")
