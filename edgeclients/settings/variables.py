"""The single definition of every setting: variable, type, default and help. `--help` and the README's table show it."""

import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec

from edgeclients.addresses import redis_url

Duration = typing.NewType("Duration", float)
"""Seconds. The text form is a number of seconds or a Go duration: `300ms`, `10s`, `1h30m`."""

SHORTEST_TOKEN = 16
"""The minimum length of the operator's token, in characters."""
PEERS = ("auth", "domains", "groups", "channels")
"""The services called over gRPC, by the prefix of their attributes in `Settings`."""


class Var(NamedTuple):
    """One environment variable."""

    name: str
    help: str
    secret: bool = False
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None


def _url(prefix: str, text: str) -> Var:
    return Var(f"{prefix}_URL", f"`host:port` of {text}")


def _timeout(prefix: str) -> Var:
    return Var(f"{prefix}_TIMEOUT", "time limit of a call, including its one retry", low=0.001)


def _server_ca(prefix: str) -> Var:
    return Var(f"{prefix}_SERVER_CA_CERTS", "trusted CA certificates: a path or PEM; unset: no TLS")


def _client_cert(prefix: str) -> Var:
    return Var(f"{prefix}_CLIENT_CERT", "client certificate for mutual TLS: a path or PEM; needs `_SERVER_CA_CERTS`")


def _client_key(prefix: str) -> Var:
    return Var(f"{prefix}_CLIENT_KEY", "its private key: a path or PEM", secret=True)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of the process. An unset or empty variable takes its default."""

    mode: Annotated[
        str,
        Var(
            "MG_CLIENTS_MODE",
            "storage: `gateway` is one SQLite directory, `cloud` a PostgreSQL database; unset: `cloud` if `MG_AUTH_GRPC_URL` is"
            " set and the authenticator is not `standalone`, else `gateway`",
            choices=("gateway", "cloud"),
        ),
    ] = "gateway"
    auth_plugin: Annotated[
        str,
        Var(
            "MG_CLIENTS_AUTH_PLUGIN",
            "the authenticator, by the name of its `edgeclients.auth` entry point; unset: `magistrala` if `MG_AUTH_GRPC_URL` is"
            " set, else `standalone`",
        ),
    ] = ""
    data_dir: Annotated[Path, Var("MG_CLIENTS_DATA_DIR", "the data directory; unset: `$STATE_DIRECTORY`, else `./data`")] = (
        Path("data")
    )
    instance_id: Annotated[str, Var("MG_CLIENTS_INSTANCE_ID", "the instance id in `/health`; unset: a random UUID")] = ""
    workers: Annotated[
        int,
        Var(
            "MG_CLIENTS_WORKERS",
            "cloud mode: number of worker processes on the same ports; a worker that ends is restarted",
            low=1,
            high=64,
        ),
    ] = 1
    log_level: Annotated[
        str,
        Var(
            "MG_CLIENTS_LOG_LEVEL",
            "lowest level logged: `debug`, `info`, `warn` or `error`",
            choices=("debug", "info", "warn", "error"),
        ),
    ] = "info"

    standalone_id: Annotated[
        str, Var("MG_CLIENTS_STANDALONE_ID", "the operator's id; id and token unset: generated at the first start")
    ] = ""
    standalone_token: Annotated[
        str, Var("MG_CLIENTS_STANDALONE_TOKEN", "the operator's token, at least 16 characters", secret=True)
    ] = ""
    standalone_token_file: Annotated[
        Path | None,
        Var(
            "MG_CLIENTS_STANDALONE_TOKEN_FILE",
            "a file that holds the operator's token; unset: systemd's credential `edgeclients.token`, if there is one",
        ),
    ] = None
    standalone_domains: Annotated[
        tuple[str, ...], Var("MG_CLIENTS_STANDALONE_DOMAINS", "the only domains allowed, separated by `,`; unset: any")
    ] = ()
    pepper_files: Annotated[
        tuple[Path, ...],
        Var(
            "MG_CLIENTS_PEPPER_FILE",
            "file of the pepper, then files of older peppers still in use, separated by `,`; unset: `<data dir>/pepper`; cloud"
            " mode: required, unless systemd passes the credential",
        ),
    ] = ()

    db_host: Annotated[str, Var("MG_CLIENTS_DB_HOST", "cloud mode: PostgreSQL server, or directory of its socket")] = (
        "localhost"
    )
    db_port: Annotated[int, Var("MG_CLIENTS_DB_PORT", "port of the PostgreSQL server", low=1, high=65535)] = 5432
    db_user: Annotated[str, Var("MG_CLIENTS_DB_USER", "PostgreSQL user")] = "magistrala"
    db_pass: Annotated[str, Var("MG_CLIENTS_DB_PASS", "password of the PostgreSQL user", secret=True)] = "magistrala"  # noqa: S105 - the published service's default
    db_pass_file: Annotated[
        Path | None, Var("MG_CLIENTS_DB_PASS_FILE", "a file that holds this password, instead of `MG_CLIENTS_DB_PASS`")
    ] = None
    db_name: Annotated[str, Var("MG_CLIENTS_DB_NAME", "PostgreSQL database, used by this service alone")] = "clients"
    db_ssl_mode: Annotated[
        str,
        Var(
            "MG_CLIENTS_DB_SSL_MODE",
            "`disable`: no TLS; `require`: TLS without verification, or like `verify-ca` if a root certificate is set;"
            " `verify-ca`: verify the certificate; `verify-full`: verify the host name too",
            choices=("disable", "require", "verify-ca", "verify-full"),
        ),
    ] = "disable"
    db_ssl_cert: Annotated[str, Var("MG_CLIENTS_DB_SSL_CERT", "client certificate for PostgreSQL: a path or PEM")] = ""
    db_ssl_key: Annotated[str, Var("MG_CLIENTS_DB_SSL_KEY", "its private key: a path or PEM", secret=True)] = ""
    db_ssl_root_cert: Annotated[
        str,
        Var("MG_CLIENTS_DB_SSL_ROOT_CERT", "trusted CA certificates: a path or PEM; unset: the system's"),
    ] = ""
    db_max_connections: Annotated[
        int,
        Var("MG_CLIENTS_DB_MAX_CONNECTIONS", "maximum number of PostgreSQL connections per process", low=3, high=1000),
    ] = 10

    http_host: Annotated[str, Var("MG_CLIENTS_HTTP_HOST", "address HTTP listens on; `0.0.0.0`: all of IPv4; `::`: all")] = (
        "localhost"
    )
    http_port: Annotated[int, Var("MG_CLIENTS_HTTP_PORT", "port HTTP listens on; 0: any free port", low=0, high=65535)] = 9006
    http_cert: Annotated[str, Var("MG_CLIENTS_HTTP_SERVER_CERT", "certificate for HTTPS: a path or PEM")] = ""
    http_key: Annotated[str, Var("MG_CLIENTS_HTTP_SERVER_KEY", "key for HTTPS: a path or PEM", secret=True)] = ""
    http_read_timeout: Annotated[
        Duration, Var("MG_CLIENTS_HTTP_SERVER_READ_TIMEOUT", "time limit for receiving a complete request", low=0.001)
    ] = Duration(15)
    http_write_timeout: Annotated[
        Duration, Var("MG_CLIENTS_HTTP_SERVER_WRITE_TIMEOUT", "time limit for a caller to read part of a response", low=0.001)
    ] = Duration(15)
    http_read_header_timeout: Annotated[
        Duration, Var("MG_CLIENTS_HTTP_SERVER_READ_HEADER_TIMEOUT", "time limit for receiving a request's headers", low=0.001)
    ] = Duration(5)
    http_idle_timeout: Annotated[
        Duration, Var("MG_CLIENTS_HTTP_SERVER_IDLE_TIMEOUT", "time limit between requests on one connection", low=0.001)
    ] = Duration(60)
    http_max_header_bytes: Annotated[
        int, Var("MG_CLIENTS_HTTP_SERVER_MAX_HEADER_BYTES", "maximum size of a request's headers", low=1024)
    ] = 1024 * 1024
    http_max_body_bytes: Annotated[int, Var("MG_CLIENTS_HTTP_MAX_BODY_BYTES", "maximum size of a request's body", low=1024)] = (
        1024 * 1024
    )
    http_max_bulk_bytes: Annotated[
        int, Var("MG_CLIENTS_HTTP_MAX_BULK_BYTES", "maximum size of a bulk request's body", low=1024)
    ] = 16 * 1024 * 1024
    http_max_requests: Annotated[
        int, Var("MG_CLIENTS_HTTP_MAX_REQUESTS", "maximum concurrent requests; others get 503", low=1)
    ] = 256
    http_max_connections: Annotated[
        int, Var("MG_CLIENTS_HTTP_MAX_CONNECTIONS", "maximum open connections; others are closed at once", low=1)
    ] = 1024
    wrong_tokens: Annotated[
        int,
        Var("MG_CLIENTS_HTTP_WRONG_TOKENS", "wrong bearer tokens per minute and address that get 401; others get 429", low=1),
    ] = 60

    grpc_server: Annotated[
        str,
        Var(
            "MG_CLIENTS_GRPC_SERVER",
            "what serves gRPC: `lane`, the program's own HTTP/2 server; `grpcio`, that of the gRPC library",
            choices=("lane", "grpcio"),
        ),
    ] = "grpcio"
    grpc_host: Annotated[str, Var("MG_CLIENTS_GRPC_HOST", "address gRPC listens on, likewise")] = "localhost"
    grpc_port: Annotated[int, Var("MG_CLIENTS_GRPC_PORT", "port gRPC listens on; 0: any free port", low=0, high=65535)] = 7000
    grpc_cert: Annotated[str, Var("MG_CLIENTS_GRPC_SERVER_CERT", "certificate for gRPC over TLS: a path or PEM")] = ""
    grpc_key: Annotated[str, Var("MG_CLIENTS_GRPC_SERVER_KEY", "key for gRPC over TLS: a path or PEM", secret=True)] = ""
    grpc_server_ca: Annotated[str, Var("MG_CLIENTS_GRPC_SERVER_CA_CERTS", "accepted for compatibility; has no effect")] = ""
    grpc_client_ca: Annotated[
        str,
        Var(
            "MG_CLIENTS_GRPC_CLIENT_CA_CERTS",
            "CA certificates for mutual TLS: a path or PEM; set: gRPC callers must present a certificate",
        ),
    ] = ""
    grpc_max_requests: Annotated[
        int, Var("MG_CLIENTS_GRPC_MAX_REQUESTS", "maximum concurrent calls; others get RESOURCE_EXHAUSTED", low=1)
    ] = 4096
    grpc_socket: Annotated[
        Path | None,
        Var("MG_CLIENTS_GRPC_SOCKET", "Unix socket gRPC listens on too, without TLS, for the service's group; needs `lane`"),
    ] = None
    grpc_idle_timeout: Annotated[
        Duration, Var("MG_CLIENTS_GRPC_IDLE_TIMEOUT", "`lane`: time until a connection without calls is closed", low=1)
    ] = Duration(300)
    grpc_message_memory: Annotated[
        int,
        Var(
            "MG_CLIENTS_GRPC_MESSAGE_MEMORY",
            "`lane`: maximum bytes of all long messages in transit; beyond it calls get RESOURCE_EXHAUSTED",
            low=8 * 1024 * 1024,
        ),
    ] = 32 * 1024 * 1024

    cache_url: Annotated[
        str,
        Var(
            "MG_CLIENTS_CACHE_URL",
            "cloud mode: Redis server of the shared cache: `host:port`, `redis://` or `rediss://`; unset: no shared cache",
            secret=True,
        ),
    ] = ""
    cache_url_file: Annotated[
        Path | None, Var("MG_CLIENTS_CACHE_URL_FILE", "a file that holds this URL, instead of `MG_CLIENTS_CACHE_URL`")
    ] = None
    cache_key_duration: Annotated[
        Duration, Var("MG_CLIENTS_CACHE_KEY_DURATION", "lifetime of a cached Authenticate result", low=0.001)
    ] = Duration(3600)
    cache_size: Annotated[
        int, Var("MG_CLIENTS_CACHE_SIZE", "maximum cached Authenticate results, about 400 bytes each", low=1)
    ] = 50_000
    argon2_memory_kib: Annotated[
        int,
        Var(
            "MG_CLIENTS_ARGON2_MEMORY_KIB",
            "memory used to hash one chosen secret, in KiB; two sets of argon2 parameters can be in use",
            low=8,
            high=4 * 1024 * 1024,
        ),
    ] = 19 * 1024
    argon2_passes: Annotated[int, Var("MG_CLIENTS_ARGON2_PASSES", "argon2 passes over that memory", low=1, high=64)] = 2
    argon2_workers: Annotated[
        int,
        Var("MG_CLIENTS_ARGON2_WORKERS", "chosen secrets hashed concurrently, for checks and for changes each", low=1, high=64),
    ] = 1
    argon2_waiting: Annotated[
        int, Var("MG_CLIENTS_ARGON2_WAITING", "chosen secrets queued for hashing, for checks and for changes each", low=1)
    ] = 128
    write_queue: Annotated[int, Var("MG_CLIENTS_WRITE_QUEUE", "maximum queued changes; others get 503", low=1)] = 1024
    activity_flush: Annotated[
        Duration,
        Var("MG_CLIENTS_ACTIVITY_FLUSH", "interval at which last-seen times are stored; cloud mode: 30 s at most", low=0.001),
    ] = Duration(900)
    query_timeout: Annotated[
        Duration, Var("MG_CLIENTS_QUERY_TIMEOUT", "time limit of a list query", low=0.001, high=86_400)
    ] = Duration(5)
    outbox_max_rows: Annotated[
        int, Var("MG_CLIENTS_OUTBOX_MAX_ROWS", "maximum unsent events; the oldest are dropped first", low=0)
    ] = 100_000
    outbox_max_bytes: Annotated[int, Var("MG_CLIENTS_OUTBOX_MAX_BYTES", "maximum bytes of unsent events", low=0)] = (
        64 * 1024 * 1024
    )

    events_url: Annotated[
        str,
        Var(
            "MG_CLIENTS_ES_URL",
            "Redis server that receives events: `host:port`, `redis://` or `rediss://`; unset: `MG_ES_URL`",
            secret=True,
        ),
    ] = ""
    events_url_file: Annotated[
        Path | None, Var("MG_CLIENTS_ES_URL_FILE", "a file that holds this URL, instead of `MG_CLIENTS_ES_URL`")
    ] = None
    shared_events_url: Annotated[
        str, Var("MG_ES_URL", "the same for all services of an installation; unset: a gateway keeps no events", secret=True)
    ] = ""

    callout_urls: Annotated[
        tuple[str, ...],
        Var("MG_CLIENTS_CALLOUT_URLS", "URLs of the callouts that authorise operations, separated by `,`", secret=True),
    ] = ()
    callout_operations: Annotated[
        tuple[str, ...], Var("MG_CLIENTS_CALLOUT_OPERATIONS", "operations that need a callout, separated by `,`")
    ] = ()
    callout_method: Annotated[
        str,
        Var(
            "MG_CLIENTS_CALLOUT_METHOD", "HTTP method: `post` with a JSON body, or `get` with a query", choices=("post", "get")
        ),
    ] = "post"
    callout_timeout: Annotated[Duration, Var("MG_CLIENTS_CALLOUT_TIMEOUT", "time limit of one callout", low=0.001)] = Duration(
        10
    )
    callout_verify: Annotated[
        bool, Var("MG_CLIENTS_CALLOUT_TLS_VERIFICATION", "whether callouts' certificates are verified: `true` or `false`")
    ] = True
    callout_ca: Annotated[
        str, Var("MG_CLIENTS_CALLOUT_CA_CERT", "trusted CA certificates: a path or PEM; unset: the system's")
    ] = ""
    callout_cert: Annotated[str, Var("MG_CLIENTS_CALLOUT_CERT", "client certificate for callouts: a path or PEM")] = ""
    callout_key: Annotated[str, Var("MG_CLIENTS_CALLOUT_KEY", "its private key: a path or PEM", secret=True)] = ""

    jaeger_url: Annotated[
        str,
        Var(
            "MG_JAEGER_URL",
            "URL that receives traces by OTLP over HTTP, such as `http://localhost:4318/v1/traces`; unset: no tracing",
            secret=True,
        ),
    ] = ""
    jaeger_ratio: Annotated[
        float, Var("MG_JAEGER_TRACE_RATIO", "fraction of the traces started here that are sent: 0 to 1", low=0, high=1)
    ] = 1.0

    send_telemetry: Annotated[
        bool, Var("MG_SEND_TELEMETRY", "whether telemetry is sent if `MG_CALLHOME_URL` is set: `true` or `false`")
    ] = True
    callhome_url: Annotated[
        str, Var("MG_CALLHOME_URL", "URL that receives telemetry, once a day; unset: no telemetry", secret=True)
    ] = ""

    @property
    def authenticator(self) -> str:
        """The name of the authenticator."""
        return self.auth_plugin or ("magistrala" if self.auth_grpc_url else "standalone")

    @property
    def cache_address(self) -> str:
        """The URL of the shared cache's Redis server; empty if there is none."""
        return redis_url(self.cache_url) if self.cache_url else ""

    @property
    def event_stream(self) -> str:
        """The URL of the Redis server that receives events; empty if there is none."""
        text = self.events_url or self.shared_events_url
        return redis_url(text) if text else ""

    # Services called over gRPC (schema/README.md#services-asked).
    auth_grpc_url: Annotated[str, _url("MG_AUTH_GRPC", "the Auth service, for the authenticator `magistrala`")] = ""
    auth_grpc_timeout: Annotated[Duration, _timeout("MG_AUTH_GRPC")] = Duration(1)
    auth_grpc_server_ca: Annotated[str, _server_ca("MG_AUTH_GRPC")] = ""
    auth_grpc_client_cert: Annotated[str, _client_cert("MG_AUTH_GRPC")] = ""
    auth_grpc_client_key: Annotated[str, _client_key("MG_AUTH_GRPC")] = ""
    domains_grpc_url: Annotated[
        str, _url("MG_DOMAINS_GRPC", "the domains service, which knows whether a domain is enabled; unset: every domain is")
    ] = ""
    domains_grpc_timeout: Annotated[Duration, _timeout("MG_DOMAINS_GRPC")] = Duration(1)
    domains_grpc_server_ca: Annotated[str, _server_ca("MG_DOMAINS_GRPC")] = ""
    domains_grpc_client_cert: Annotated[str, _client_cert("MG_DOMAINS_GRPC")] = ""
    domains_grpc_client_key: Annotated[str, _client_key("MG_DOMAINS_GRPC")] = ""
    groups_grpc_url: Annotated[
        str, _url("MG_GROUPS_GRPC", "the groups service, which knows whether a parent group is usable; unset: every group is")
    ] = ""
    groups_grpc_timeout: Annotated[Duration, _timeout("MG_GROUPS_GRPC")] = Duration(1)
    groups_grpc_server_ca: Annotated[str, _server_ca("MG_GROUPS_GRPC")] = ""
    groups_grpc_client_cert: Annotated[str, _client_cert("MG_GROUPS_GRPC")] = ""
    groups_grpc_client_key: Annotated[str, _client_key("MG_GROUPS_GRPC")] = ""
    channels_grpc_url: Annotated[
        str, _url("MG_CHANNELS_GRPC", "the channels service; set: it serves the routes that connect clients")
    ] = ""
    channels_grpc_timeout: Annotated[Duration, _timeout("MG_CHANNELS_GRPC")] = Duration(1)
    channels_grpc_server_ca: Annotated[str, _server_ca("MG_CHANNELS_GRPC")] = ""
    channels_grpc_client_cert: Annotated[str, _client_cert("MG_CHANNELS_GRPC")] = ""
    channels_grpc_client_key: Annotated[str, _client_key("MG_CHANNELS_GRPC")] = ""
    auth_jwks_url: Annotated[
        str, Var("MG_AUTH_JWKS_URL", "URL of Auth's public keys; set: this service verifies access tokens; unset: Auth does")
    ] = ""
    allow_unverified_user: Annotated[
        bool, Var("MG_ALLOW_UNVERIFIED_USER", "whether users with an unverified e-mail address are accepted: `true` or `false`")
    ] = False


class Field(NamedTuple):
    """One setting as data."""

    attribute: str
    variable: Var
    type: Any
    default: Any


def fields() -> Iterator[Field]:
    """Every setting, in order of definition."""
    hints = typing.get_type_hints(Settings, include_extras=True)
    for field in msgspec.structs.fields(Settings):
        kind, variable = typing.get_args(hints[field.name])
        yield Field(field.name, variable, kind, field.default)
