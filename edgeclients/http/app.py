"""The HTTP application behind the gate: the routes, for the use cases."""

from typing import NamedTuple, NoReturn

from litestar import Litestar, Router
from litestar.exceptions import HTTPException
from litestar.openapi.config import OpenAPIConfig

from edgeclients.core.clients import Clients
from edgeclients.core.connections import Connections
from edgeclients.core.members import Members
from edgeclients.core.parents import Parents
from edgeclients.core.roles import Roles
from edgeclients.core.rotation import Rotation
from edgeclients.http import channels, clients, credentials, members, parents, roles, site
from edgeclients.http.call import Call
from edgeclients.ops.health import Readiness
from edgeclients.ops.metrics import Metrics


class UseCases(NamedTuple):
    """What the routes call."""

    clients: Clients
    rotation: Rotation
    parents: Parents
    connections: Connections
    roles: Roles
    members: Members


class Operations(NamedTuple):
    """What the routes without a token report."""

    health: dict[str, str]
    readiness: Readiness
    metrics: Metrics


class BodyLimits(NamedTuple):
    """How many bytes a request's body may have."""

    single: int = 1024 * 1024
    bulk: int = 16 * 1024 * 1024


def build(
    cases: UseCases,
    operations: Operations,
    limits: BodyLimits,
    *,
    serve_channels: bool = True,
    openapi: OpenAPIConfig | None = None,
) -> Litestar:
    """The application without its gate.

    Args:
        cases: what the routes call.
        operations: what the routes without a token report.
        limits: of bodies.
        serve_channels: whether connecting is ours, or a channels service's (contract A4).
        openapi: makes the description anew, which otherwise is served from a file.
    """
    of_channels = channels.routes(cases.connections) if serve_channels else []
    of_clients = [
        *clients.routes(cases.clients, limits.bulk),
        *credentials.routes(cases.rotation),
        *parents.routes(cases.parents),
        *roles.routes(cases.roles),
        *members.routes(cases.members),
    ]
    return Litestar(
        route_handlers=[
            Router("/{domain_id:str}/clients", route_handlers=of_clients),
            Router("/{domain_id:str}/channels", route_handlers=of_channels),
            *site.routes(*operations),
        ],
        exception_handlers={Exception: _pass_on, HTTPException: _pass_on},
        request_max_body_size=limits.single,
        openapi_config=openapi,
        logging_config=None,
        debug=False,
        pdb_on_exception=False,
    )


def _pass_on(_: Call, error: Exception) -> NoReturn:
    """Leave every error to the gate, which tells them all."""
    raise error
