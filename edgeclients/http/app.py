"""The HTTP application behind the gate: routes that call the use cases."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NoReturn

from litestar import Litestar, Router
from litestar.config.app import AppConfig
from litestar.exceptions import ClientException, HTTPException, MethodNotAllowedException, NotFoundException
from litestar.routes import HTTPRoute

from edgeclients.errors import BodyTooLarge, MalformedRequest, MethodNotAllowed, NoRoute
from edgeclients.http.parts import BodyLimits, Operations, UseCases
from edgeclients.http.routes import channels, clients, journal, members, parents, provisioning, roles, secrets, site
from edgeclients.http.routes.names import Named, OperationNames
from edgeclients.http.wire.call import Call

if TYPE_CHECKING:
    from litestar.types.internal_types import RouteHandlerMapItem


class _Methods(Router):
    """A router whose `OPTIONS` responses list every method of a path, not only those of the first handler."""

    @property
    def route_handler_method_map(self) -> "dict[str, RouteHandlerMapItem]":
        """The handlers without those for `OPTIONS`: the router creates these again when it adds a handler."""
        found = super().route_handler_method_map
        for handlers in found.values():
            handlers.pop("OPTIONS", None)
        return found


class Application(_Methods, Litestar):
    """Litestar without its own tracing, with a lookup of operations by path."""

    def operation_at(self, method: str, segments: Sequence[str]) -> str:
        """The operation of the path with these segments; empty if there is none."""
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
        return config  # the original imports OpenTelemetry where it is installed, even with tracing off


def build(
    use_cases: UseCases,
    operations: Operations,
    limits: BodyLimits,
    *,
    serve_channels: bool = True,
) -> Application:
    """The application without its gate.

    Args:
        use_cases: what the routes call.
        operations: what the routes without a token report.
        limits: maximum sizes of request bodies.
        serve_channels: whether to serve connect and disconnect, or a channels service does (schema/README.md#connections).
    """
    channel_routes = channels.routes(use_cases.connections) if serve_channels else []
    client_routes = [
        *clients.routes(use_cases.clients, limits.bulk),
        *secrets.routes(use_cases.rotation, use_cases.retiring),
        *parents.routes(use_cases.parents),
        *roles.routes(use_cases.roles),
        *members.routes(use_cases.members),
        *provisioning.routes(use_cases.imports, use_cases.exports),
    ]
    return Application(
        route_handlers=[
            _Methods("/{domain_id:str}/clients", route_handlers=client_routes),
            _Methods("/{domain_id:str}/channels", route_handlers=channel_routes),
            _Methods("/{domain_id:str}/journal", route_handlers=journal.routes(use_cases.history)),
            *site.routes(*operations),
        ],
        exception_handlers={Exception: _raise_to_gate, HTTPException: _raise_to_gate},
        request_max_body_size=limits.single,
        openapi_config=None,  # the description is served from a file
        logging_config=None,
        debug=False,
        pdb_on_exception=False,
    )


def _raise_to_gate(_: Call, error: Exception) -> NoReturn:
    """Raise every error to the gate, which sends all error responses. Framework errors become domain errors.

    Raises:
        DomainError: the framework rejected the request.
        Exception: the original error, in every other case.
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
