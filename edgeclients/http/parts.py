"""What the routes depend on: use cases, reports that need no token, body limits."""

from typing import NamedTuple

from edgeclients.core.clients import Clients
from edgeclients.core.connections import Connections
from edgeclients.core.history import History
from edgeclients.core.members import Members
from edgeclients.core.parents import Parents
from edgeclients.core.provisioning.exporting import Exports
from edgeclients.core.provisioning.importing import Imports
from edgeclients.core.roles import Roles
from edgeclients.core.secrets.retiring import Retiring
from edgeclients.core.secrets.rotation import Rotation
from edgeclients.ops.health import Readiness
from edgeclients.ops.metrics import Metrics


class UseCases(NamedTuple):
    """The use cases that the routes call."""

    clients: Clients
    rotation: Rotation
    retiring: Retiring
    parents: Parents
    connections: Connections
    roles: Roles
    members: Members
    imports: Imports
    exports: Exports
    history: History


class Operations(NamedTuple):
    """What the routes without a token report."""

    health: dict[str, str]
    readiness: Readiness
    metrics: Metrics


class BodyLimits(NamedTuple):
    """Maximum size of a request body, in bytes."""

    single: int = 1024 * 1024
    bulk: int = 16 * 1024 * 1024
