"""Translates PostgreSQL's errors: to domain errors for callers, and to start errors. The server's text goes to the log."""

import contextlib
import ssl
from collections.abc import Iterator

import asyncpg

from edgeclients.errors import (
    Busy,
    DomainError,
    Internal,
    MalformedRequest,
    QueryTimedOut,
    StartError,
    StorageFull,
    Unavailable,
)
from edgeclients.store.postgres.connect import PostgresAddress

# By SQLSTATE, or by its class.
_MEANING: dict[str, type[DomainError]] = {
    "22": MalformedRequest,  # text that the database cannot keep, such as NUL
    "40": Busy,  # deadlock, serialization failure; after retries
    "53100": StorageFull,
    "53300": Busy,  # too many connections
    "55P03": Busy,  # lock timeout
    "57014": QueryTimedOut,
    "08": Unavailable,
    "25": Unavailable,  # read-only, or the idle transaction was terminated
    "26": Unavailable,  # an unknown prepared statement: the session is another one
    "28": Unavailable,
    "3D": Unavailable,
    "53": Unavailable,
    "55": Unavailable,
    "57": Unavailable,  # shutting down, starting up
    "58": Unavailable,
    "XX": Unavailable,
}

# Errors after which an open connection is unusable: it leads to another server, or the server shuts down.
_BREAKING = ("25006", "26", "57P")


def breaks_connection(error: BaseException) -> bool:
    """Whether the connection that raised `error` must be closed."""
    return isinstance(error, TimeoutError) or _state(error).startswith(_BREAKING)


def is_transient(error: BaseException) -> bool:
    """Whether a retry of the same transaction may succeed."""
    return _state(error).startswith("40") or isinstance(error, asyncpg.InvalidCachedStatementError)


def constraint_of(error: asyncpg.PostgresError) -> str:
    """The name of the constraint that was violated."""
    return str(getattr(error, "constraint_name", "") or "")


def translate(error: BaseException) -> BaseException:
    """The domain error for an error of PostgreSQL or of the connection to it; anything else unchanged."""
    if isinstance(error, asyncpg.PostgresError):
        state = _state(error)
        meaning = _MEANING.get(state) or _MEANING.get(state[:2], Internal)
        return meaning(f"{state} {error}", retry_after=1 if meaning is Busy else None)
    if isinstance(error, asyncpg.DataError):
        return MalformedRequest(type(error).__name__)
    if isinstance(error, asyncpg.InterfaceError | asyncpg.InternalClientError | OSError | TimeoutError):
        return Unavailable(f"{type(error).__name__} {error}")
    return error


def pooler_message(error: BaseException) -> str:
    """The message of a connection pooler, "" if it is none: poolers report their own errors as protocol violations."""
    cause = error.__cause__ if isinstance(error, asyncpg.ConnectionDoesNotExistError) else error
    return str(cause) if isinstance(cause, asyncpg.ProtocolViolationError) else ""


def start_error(address: PostgresAddress, error: BaseException) -> StartError:
    """The reason, in one line, why the service cannot start on the database at `address`."""
    text = next((text for kind, text in _REASONS if isinstance(error, kind)), _OTHER)
    if isinstance(error, ConnectionError) and "SSL upgrade" in str(error):
        text = _NO_TLS
    if pooler_message(error):
        text = _POOLER
    detail = (
        pooler_message(error)
        or getattr(error, "verify_message", "")
        or getattr(error, "strerror", "")
        or str(error)
        or type(error).__name__
    )
    return StartError(text.format(address=address, user=address.user, name=address.name, detail=detail.splitlines()[0]))


@contextlib.contextmanager
def start_errors(address: PostgresAddress) -> Iterator[None]:
    """Raise errors of the database and of the connection as `StartError`: the service does not run yet.

    Raises:
        StartError: see `start_error`.
    """
    try:
        yield
    except (
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,
        OSError,
        TimeoutError,
        UnicodeError,
    ) as error:
        raise start_error(address, error) from error


_NO_TLS = "{address} offers no TLS: enable it there, or set MG_CLIENTS_DB_SSL_MODE=disable"
_CLOSED = (
    "{address} closed the connection ({detail}): "
    "check MG_CLIENTS_DB_SSL_MODE, and MG_CLIENTS_DB_SSL_CERT if it wants a certificate"
)
_POOLER = (
    "{address} refuses ({detail}), as a connection pooler such as PgBouncer does: check its settings for database {name!r}"
)
_OTHER = "database {name!r} of {address} cannot be used ({detail})"

# The first match applies.
_REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (asyncpg.PostgresConnectionError, _CLOSED),
    (ConnectionResetError, _CLOSED),
    (
        ssl.SSLCertVerificationError,
        "{address} presents an untrusted certificate ({detail}): check MG_CLIENTS_DB_SSL_ROOT_CERT and MG_CLIENTS_DB_HOST",
    ),
    (ssl.SSLError, "TLS with {address} fails ({detail}): check MG_CLIENTS_DB_SSL_CERT and MG_CLIENTS_DB_SSL_KEY"),
    (TimeoutError, "{address} does not answer: check MG_CLIENTS_DB_HOST and MG_CLIENTS_DB_PORT"),
    (
        asyncpg.InvalidAuthorizationSpecificationError,
        "{address} rejects user {user!r} ({detail}): check MG_CLIENTS_DB_USER and MG_CLIENTS_DB_PASS",
    ),
    (asyncpg.InvalidCatalogNameError, "{address} has no database {name!r}: create it, or set MG_CLIENTS_DB_NAME"),
    (asyncpg.TooManyConnectionsError, "{address} has no connection left: close some, or raise max_connections there"),
    (asyncpg.CannotConnectNowError, "{address} is starting up or shutting down: try again"),
    (
        asyncpg.InsufficientPrivilegeError,
        "user {user!r} may not use database {name!r} ({detail}): make it the owner, or grant it CREATE on the schema",
    ),
    (asyncpg.ReadOnlySQLTransactionError, "{address} is read-only: set MG_CLIENTS_DB_HOST to the server that accepts changes"),
    (
        asyncpg.LockNotAvailableError,
        "database {name!r} has been held for minutes, by another edgeclients that starts or by a long transaction: end it",
    ),
    (asyncpg.PostgresError, _OTHER),
    (UnicodeError, "{address} is not a valid address: check MG_CLIENTS_DB_HOST, _USER and _NAME"),
    (OSError, "{address} cannot be reached ({detail}): start it, or set MG_CLIENTS_DB_HOST and MG_CLIENTS_DB_PORT"),
)


def _state(error: BaseException) -> str:
    return str(getattr(error, "sqlstate", "") or "")
