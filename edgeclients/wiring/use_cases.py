"""Builds the use cases on the storage, the authenticator and the services that the settings name."""

from tempfile import TemporaryFile
from typing import NamedTuple

from edgeclients.core.authn.authentication import Authentication
from edgeclients.core.authn.queue import CheckQueue
from edgeclients.core.authz.access import Access
from edgeclients.core.authz.local import WithLocalCallers
from edgeclients.core.clients import Clients
from edgeclients.core.connections import Connections
from edgeclients.core.entities import Entities
from edgeclients.core.history import History
from edgeclients.core.members import Members
from edgeclients.core.parents import Parents
from edgeclients.core.provisioning.exporting import Exports
from edgeclients.core.provisioning.importing import Imports
from edgeclients.core.roles import Roles
from edgeclients.core.secrets.issue import Secrets
from edgeclients.core.secrets.keyring import Keyring
from edgeclients.core.secrets.pool import Argon2Threads, HashQueue
from edgeclients.core.secrets.retiring import Retiring
from edgeclients.core.secrets.rotation import Rotation
from edgeclients.http.parts import UseCases
from edgeclients.ports import Authorizer, Proofs, Store, TokenCache
from edgeclients.wiring import callouts, tracing
from edgeclients.wiring.context import Context
from edgeclients.wiring.peers import Neighbours


class Core(NamedTuple):
    """The use cases: `http` has those of the routes; `checks` is the queue of secrets to check."""

    http: UseCases
    authentication: Authentication
    entities: Entities
    checks: CheckQueue


class Argon2Queues(NamedTuple):
    """The argon2 queues, for checking presented secrets and for hashing stored ones. Neither waits for the other."""

    checks: CheckQueue
    writes: HashQueue


def build(
    context: Context,
    store: Store,
    keyring: Keyring,
    authorizer: Authorizer,
    cache: TokenCache,
    proofs: Proofs | None,
    neighbours: Neighbours,
) -> Core:
    """The use cases; closing `context` closes their parts.

    Args:
        context: the parts to build them with.
        store: the store.
        keyring: the peppers.
        authorizer: decides on access beyond roles.
        cache: the cache of successful authentications.
        proofs: the proofs of other processes; None without a shared cache.
        neighbours: the services to call.

    Raises:
        StartError: the callout's settings cannot be used.
    """
    callout = callouts.callout(context.settings, context.reloading)
    if callout is not None:
        context.stack.push_async_callback(callout.close)
    access = Access(store, WithLocalCallers(authorizer), tracing.of_callout(context.traces, callout))
    queues = _argon2(context)
    authentication = Authentication(store, cache, keyring, queues.checks, queues.writes, proofs)
    context.stack.push_async_callback(authentication.close)
    secrets = Secrets(store, keyring, queues.writes)
    parents, connections = Parents(store, access, neighbours.groups), Connections(store, access)
    clients = Clients(store, access, secrets, parents, neighbours.channels)
    rotation = Rotation(store, access, secrets)
    http_calls, grpc_calls = context.metrics.http, context.metrics.grpc
    imports = Imports(store, access, secrets, parents, TemporaryFile, lambda: http_calls.total + grpc_calls.total)
    exports = Exports(store, access)
    retiring, roles, members = Retiring(store, access), Roles(store, access), Members(store, access)
    history = History(store, access)
    http = UseCases(clients, rotation, retiring, parents, connections, roles, members, imports, exports, history)
    return Core(http, authentication, Entities(store), queues.checks)


def _argon2(context: Context) -> Argon2Queues:
    settings = context.settings
    of_checks, of_writes = (Argon2Threads(settings.argon2_workers) for _ in range(2))
    context.stack.callback(of_checks.close)
    context.stack.callback(of_writes.close)
    return Argon2Queues(CheckQueue(of_checks, settings.argon2_waiting), HashQueue(of_writes, settings.argon2_waiting))
