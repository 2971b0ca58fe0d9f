"""What PostgreSQL's errors mean: to a caller, and to whoever starts the service. The server's text goes to the log."""

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
    "40": Busy,  # deadlock, serialization failure; tried again before
    "53100": StorageFull,
    "53300": Busy,  # too many connections
    "55P03": Busy,  # lock timeout
    "57014": QueryTimedOut,
    "08": Unavailable,
    "25": Unavailable,  # read-only, or the transaction was ended for idling
    "26": Unavailable,  # a statement that is not there any more: the session is another one
    "28": Unavailable,
    "3D": Unavailable,
    "53": Unavailable,
    "55": Unavailable,
    "57": Unavailable,  # shutting down, starting up
    "58": Unavailable,
    "XX": Unavailable,
}

# Errors after which a connection is of no more use, though it may be open: the server is another one now, or goes away.
_SPENT = ("25006", "26", "57P")


def is_spent(error: BaseException) -> bool:
    """Whether the connection that met `error` should be closed."""
    return isinstance(error, TimeoutError) or _state(error).startswith(_SPENT)


def is_transient(error: BaseException) -> bool:
    """Whether the same transaction, run anew, may well succeed."""
    return _state(error).startswith("40") or isinstance(error, asyncpg.InvalidCachedStatementError)


def constraint_of(error: asyncpg.PostgresError) -> str:
    """The name of the constraint that `error` says was violated."""
    return str(getattr(error, "constraint_name", "") or "")


def translate(error: BaseException) -> BaseException:
    """The domain error for an error of PostgreSQL or on the way to it; anything else unchanged."""
    if isinstance(error, asyncpg.PostgresError):
        state = _state(error)
        meaning = _MEANING.get(state) or _MEANING.get(state[:2], Internal)
        return meaning(f"{state} {error}", retry_after=1 if meaning is Busy else None)
    if isinstance(error, asyncpg.DataError):
        return MalformedRequest(type(error).__name__)
    if isinstance(error, asyncpg.InterfaceError | asyncpg.InternalClientError | OSError | TimeoutError):
        return Unavailable(f"{type(error).__name__} {error}")
    return error


def pooler_says(error: BaseException) -> str:
    """What a connection pooler has said, which speaks of itself as the server does of callers who break its protocol."""
    said = error.__cause__ if isinstance(error, asyncpg.ConnectionDoesNotExistError) else error
    return str(said) if isinstance(said, asyncpg.ProtocolViolationError) else ""


def unusable(address: PostgresAddress, error: BaseException) -> StartError:
    """Why the service cannot start on the database at `address`, in one line."""
    text = next((text for kind, text in _REASONS if isinstance(error, kind)), _OTHER)
    if isinstance(error, ConnectionError) and "SSL upgrade" in str(error):
        text = _NO_TLS
    if pooler_says(error):
        text = _POOLER
    detail = (
        pooler_says(error)
        or getattr(error, "verify_message", "")
        or getattr(error, "strerror", "")
        or str(error)
        or type(error).__name__
    )
    return StartError(text.format(address=address, user=address.user, name=address.name, detail=detail.splitlines()[0]))


@contextlib.contextmanager
def told(address: PostgresAddress) -> Iterator[None]:
    """What goes wrong before anybody is served from `address` is a reason not to start.

    Raises:
        StartError: it went wrong; see `unusable`.
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
        raise unusable(address, error) from error


_NO_TLS = "{address} offers no TLS: switch it on there, or set MG_CLIENTS_DB_SSL_MODE=disable"
_HUNG_UP = "{address} hung up ({detail}): check MG_CLIENTS_DB_SSL_MODE, and MG_CLIENTS_DB_SSL_CERT if it wants a certificate"
_POOLER = "{address} refuses ({detail}), as a connection pooler such as PgBouncer: look at its settings for database {name!r}"
_OTHER = "database {name!r} of {address} cannot be used ({detail})"

# The first that fits counts.
_REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (asyncpg.PostgresConnectionError, _HUNG_UP),
    (ConnectionResetError, _HUNG_UP),
    (
        ssl.SSLCertVerificationError,
        "{address} shows a certificate nobody trusts ({detail}): check MG_CLIENTS_DB_SSL_ROOT_CERT and MG_CLIENTS_DB_HOST",
    ),
    (ssl.SSLError, "{address} ends TLS ({detail}): check MG_CLIENTS_DB_SSL_CERT and MG_CLIENTS_DB_SSL_KEY"),
    (TimeoutError, "{address} does not answer: check MG_CLIENTS_DB_HOST and MG_CLIENTS_DB_PORT"),
    (
        asyncpg.InvalidAuthorizationSpecificationError,
        "{address} does not let user {user!r} in ({detail}): check MG_CLIENTS_DB_USER and MG_CLIENTS_DB_PASS",
    ),
    (asyncpg.InvalidCatalogNameError, "{address} has no database {name!r}: create it, or set MG_CLIENTS_DB_NAME"),
    (asyncpg.TooManyConnectionsError, "{address} has no connection left: end some, or raise max_connections there"),
    (asyncpg.CannotConnectNowError, "{address} is starting up or shutting down: try again"),
    (
        asyncpg.InsufficientPrivilegeError,
        "user {user!r} may not use database {name!r} ({detail}): make it the owner, or grant it CREATE on the schema",
    ),
    (asyncpg.ReadOnlySQLTransactionError, "{address} is read-only: set MG_CLIENTS_DB_HOST to the server that takes changes"),
    (
        asyncpg.LockNotAvailableError,
        "database {name!r} has been held for minutes, by another edgeclients that starts or by a long transaction: see to that",
    ),
    (asyncpg.PostgresError, _OTHER),
    (UnicodeError, "{address} is no address: check MG_CLIENTS_DB_HOST, _USER and _NAME"),
    (OSError, "{address} cannot be reached ({detail}): start it, or set MG_CLIENTS_DB_HOST and MG_CLIENTS_DB_PORT"),
)


def _state(error: BaseException) -> str:
    return str(getattr(error, "sqlstate", "") or "")
