"""The HTTP application: routes from the use cases, every error in one shape, the gate in front."""

from typing import Any, NamedTuple

from litestar import Litestar, Router
from litestar.exceptions import ClientException, HTTPException, MethodNotAllowedException, NotFoundException
from litestar.openapi.config import OpenAPIConfig
from litestar.response.base import ASGIResponse

from edgeclients.core.clients import Clients
from edgeclients.core.connections import Connections
from edgeclients.core.parents import Parents
from edgeclients.core.rotation import Rotation
from edgeclients.errors import BodyTooLarge, DomainError, MalformedRequest, MethodNotAllowed, NoRoute
from edgeclients.http import channels, clients, credentials, parents, site
from edgeclients.http.answers import failure, unexpected
from edgeclients.http.call import Call, request_id_of
from edgeclients.ops.health import Readiness
from edgeclients.ops.metrics import Metrics


class UseCases(NamedTuple):
    """What the routes call."""

    clients: Clients
    rotation: Rotation
    parents: Parents
    connections: Connections


class Operations(NamedTuple):
    """What the routes without a token report."""

    health: dict[str, str]
    readiness: Readiness
    metrics: Metrics


class BodyLimits(NamedTuple):
    """How many bytes a request's body may have."""

    single: int = 1024 * 1024
    bulk: int = 16 * 1024 * 1024


def build(cases: UseCases, operations: Operations, limits: BodyLimits, openapi: OpenAPIConfig | None = None) -> Litestar:
    """The application without its gate. The description is served from a file; `openapi` makes one anew."""
    of_clients = [
        *clients.routes(cases.clients, limits.bulk),
        *credentials.routes(cases.rotation),
        *parents.routes(cases.parents),
    ]
    return Litestar(
        route_handlers=[
            Router("/{domain_id:str}/clients", route_handlers=of_clients),
            Router("/{domain_id:str}/channels", route_handlers=channels.routes(cases.connections)),
            *site.routes(*operations),
        ],
        exception_handlers={DomainError: _domain_error, HTTPException: _http_error, Exception: _unexpected},
        request_max_body_size=limits.single,
        openapi_config=openapi,
        logging_config=None,
        debug=False,
        pdb_on_exception=False,
    )


def _domain_error(request: Call, error: Any) -> ASGIResponse:
    return failure(error, request_id_of(request.scope))


def _http_error(request: Call, error: Any) -> ASGIResponse:
    """Litestar's own errors, told as ours."""
    headers = None
    told: DomainError
    if isinstance(error, NotFoundException):
        told = NoRoute()
    elif isinstance(error, MethodNotAllowedException):
        told = MethodNotAllowed()
        headers = dict(error.headers or {})
    elif error.status_code == 413:  # noqa: PLR2004
        told = BodyTooLarge()
    elif isinstance(error, ClientException):
        told = MalformedRequest(type(error).__name__)
    else:
        return unexpected(error, request_id_of(request.scope))
    return failure(told, request_id_of(request.scope), headers)


def _unexpected(request: Call, error: Any) -> ASGIResponse:
    return unexpected(error, request_id_of(request.scope))
