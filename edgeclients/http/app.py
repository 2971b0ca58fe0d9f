"""The HTTP application behind the gate: the routes, for the use cases."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NoReturn

from litestar import Litestar, Router
from litestar.config.app import AppConfig
from litestar.exceptions import ClientException, HTTPException, MethodNotAllowedException, NotFoundException
from litestar.routes import HTTPRoute

from edgeclients.errors import BodyTooLarge, MalformedRequest, MethodNotAllowed, NoRoute
from edgeclients.http.parts import BodyLimits, Operations, UseCases
from edgeclients.http.routes import channels, clients, members, parents, roles, secrets, site
from edgeclients.http.routes.names import Named, OperationNames
from edgeclients.http.wire.call import Call

if TYPE_CHECKING:
    from litestar.types.internal_types import RouteHandlerMapItem


class _Methods(Router):
    """A router whose answers to `OPTIONS` name all methods of a path, not only those of the handler that came first."""

    @property
    def route_handler_method_map(self) -> "dict[str, RouteHandlerMapItem]":
        """The handlers so far, without those for `OPTIONS`: they are made anew with each handler that is added."""
        found = super().route_handler_method_map
        for handlers in found.values():
            handlers.pop("OPTIONS", None)
        return found


class Application(_Methods, Litestar):
    """Litestar without its own tracing, that knows operations by their paths."""

    def operation_at(self, method: str, segments: Sequence[str]) -> str:
        """The operation of a path, of which these are the segments; empty if there is none."""
        return self._operation_names.at(method, segments)

    @cached_property
    def _operation_names(self) -> OperationNames:
        return OperationNames(
            Named(method, route.path_format, handler.operation_id)
            for route in self.routes
            if isinstance(route, HTTPRoute)
            for handler in route.route_handlers
            if isinstance(handler.operation_id, str)
            for method in handler.http_methods
        )

    @staticmethod
    def _patch_opentelemetry_middleware(config: AppConfig) -> AppConfig:
        return config  # it imports what it finds installed, also where nothing is traced


def build(
    cases: UseCases,
    operations: Operations,
    limits: BodyLimits,
    *,
    serve_channels: bool = True,
) -> Application:
    """The application without its gate.

    Args:
        cases: what the routes call.
        operations: what the routes without a token report.
        limits: of bodies.
        serve_channels: whether connecting is ours, or a channels service's (contract A4).
    """
    of_channels = channels.routes(cases.connections) if serve_channels else []
    of_clients = [
        *clients.routes(cases.clients, limits.bulk),
        *secrets.routes(cases.rotation),
        *parents.routes(cases.parents),
        *roles.routes(cases.roles),
        *members.routes(cases.members),
    ]
    return Application(
        route_handlers=[
            _Methods("/{domain_id:str}/clients", route_handlers=of_clients),
            _Methods("/{domain_id:str}/channels", route_handlers=of_channels),
            *site.routes(*operations),
        ],
        exception_handlers={Exception: _pass_on, HTTPException: _pass_on},
        request_max_body_size=limits.single,
        openapi_config=None,  # the description is served from a file
        logging_config=None,
        debug=False,
        pdb_on_exception=False,
    )


def _pass_on(_: Call, error: Exception) -> NoReturn:
    """Leave every error to the gate, which tells them all: ours as they are, the framework's as ours.

    Raises:
        DomainError: for what the framework refuses.
        Exception: what was raised.
    """
    if isinstance(error, NotFoundException):
        raise NoRoute from error
    if isinstance(error, MethodNotAllowedException):
        raise MethodNotAllowed((error.headers or {}).get("allow", "")) from error
    if isinstance(error, HTTPException) and error.status_code == 413:
        raise BodyTooLarge from error
    if isinstance(error, ClientException):
        raise MalformedRequest(type(error).__name__) from error
    raise error
