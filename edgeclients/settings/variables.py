"""Every setting, once: its variable, type, default and meaning. `--help`, the README's table and a test come from here."""

import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec

from edgeclients.addresses import redis_url

Duration = typing.NewType("Duration", float)
"""Seconds. Written as a number of seconds, or as Go does: `300ms`, `10s`, `1h30m`."""

SHORTEST_TOKEN = 16

PEERS = ("auth", "domains", "groups", "channels")
"""The services that are asked, by the prefix of their settings here."""


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
    return Var(f"{prefix}_TIMEOUT", "for its answer, both tries together", low=0.001)


def _server_ca(prefix: str) -> Var:
    return Var(f"{prefix}_SERVER_CA_CERTS", "who signs its certificate, a path or PEM; unset: it is spoken to without TLS")


def _client_cert(prefix: str) -> Var:
    return Var(f"{prefix}_CLIENT_CERT", "our certificate where it demands one, a path or PEM; only with `_SERVER_CA_CERTS`")


def _client_key(prefix: str) -> Var:
    return Var(f"{prefix}_CLIENT_KEY", "the key of that, a path or PEM", secret=True)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the program was told by its environment; a variable that is unset or empty has its default."""

    mode: Annotated[
        str,
        Var(
            "MG_CLIENTS_MODE",
            "where things are stored: `gateway` is one SQLite directory, `cloud` a PostgreSQL database; unset: `cloud` where"
            " `MG_AUTH_GRPC_URL` is set",
            choices=("gateway", "cloud"),
        ),
    ] = "gateway"
    auth_plugin: Annotated[
        str,
        Var(
            "MG_CLIENTS_AUTH_PLUGIN",
            "who says who callers are, by the name of an `edgeclients.auth` entry point; unset: `standalone`, or `magistrala`"
            " where `MG_AUTH_GRPC_URL` is set",
        ),
    ] = ""
    data_dir: Annotated[Path, Var("MG_CLIENTS_DATA_DIR", "the data directory; unset: `$STATE_DIRECTORY`, else `./data`")] = (
        Path("data")
    )
    instance_id: Annotated[str, Var("MG_CLIENTS_INSTANCE_ID", "shown by `/health`; unset: a random UUID")] = ""
    workers: Annotated[
        int,
        Var(
            "MG_CLIENTS_WORKERS",
            "in cloud mode, processes that serve on the same ports, started again should one end",
            low=1,
            high=64,
        ),
    ] = 1
    log_level: Annotated[
        str,
        Var("MG_CLIENTS_LOG_LEVEL", "`debug`, `info`, `warn` or `error`", choices=("debug", "info", "warn", "error")),
    ] = "info"

    standalone_id: Annotated[
        str, Var("MG_CLIENTS_STANDALONE_ID", "the operator's id; unset with the token: made at the first start")
    ] = ""
    standalone_token: Annotated[
        str, Var("MG_CLIENTS_STANDALONE_TOKEN", "the operator's token, at least 16 characters", secret=True)
    ] = ""
    standalone_token_file: Annotated[
        Path | None, Var("MG_CLIENTS_STANDALONE_TOKEN_FILE", "a file that holds the operator's token")
    ] = None
    standalone_domains: Annotated[
        tuple[str, ...], Var("MG_CLIENTS_STANDALONE_DOMAINS", "the only domains allowed, separated by `,`; unset: any")
    ] = ()
    pepper_files: Annotated[
        tuple[Path, ...],
        Var(
            "MG_CLIENTS_PEPPER_FILE",
            "the pepper, and behind it older ones still in use; unset: `<data dir>/pepper`, in cloud mode an error",
        ),
    ] = ()

    db_host: Annotated[str, Var("MG_CLIENTS_DB_HOST", "cloud mode: PostgreSQL's address, or the folder of its socket")] = (
        "localhost"
    )
    db_port: Annotated[int, Var("MG_CLIENTS_DB_PORT", "its port", low=1, high=65535)] = 5432
    db_user: Annotated[str, Var("MG_CLIENTS_DB_USER", "who we are there")] = "magistrala"
    db_pass: Annotated[str, Var("MG_CLIENTS_DB_PASS", "our password there", secret=True)] = "magistrala"  # noqa: S105 - the published service's default
    db_name: Annotated[str, Var("MG_CLIENTS_DB_NAME", "the database, which is ours alone")] = "clients"
    db_ssl_mode: Annotated[
        str,
        Var(
            "MG_CLIENTS_DB_SSL_MODE",
            "`disable`: no TLS; `require`: TLS with whoever answers, or as `verify-ca` where a root certificate is set;"
            " `verify-ca`: a certificate that is trusted; `verify-full`: for this host, too",
            choices=("disable", "require", "verify-ca", "verify-full"),
        ),
    ] = "disable"
    db_ssl_cert: Annotated[str, Var("MG_CLIENTS_DB_SSL_CERT", "certificate to show to PostgreSQL: a path or PEM")] = ""
    db_ssl_key: Annotated[str, Var("MG_CLIENTS_DB_SSL_KEY", "its key: a path or PEM", secret=True)] = ""
    db_ssl_root_cert: Annotated[
        str,
        Var("MG_CLIENTS_DB_SSL_ROOT_CERT", "who signs its certificate, a path or PEM; unset: whom the system trusts"),
    ] = ""
    db_max_connections: Annotated[
        int,
        Var("MG_CLIENTS_DB_MAX_CONNECTIONS", "connections one process opens to PostgreSQL at most", low=3, high=1000),
    ] = 10

    http_host: Annotated[str, Var("MG_CLIENTS_HTTP_HOST", "address HTTP listens on; `0.0.0.0`: all of IPv4, `::`: all")] = (
        "localhost"
    )
    http_port: Annotated[int, Var("MG_CLIENTS_HTTP_PORT", "port HTTP listens on; 0: any", low=0, high=65535)] = 9006
    http_cert: Annotated[str, Var("MG_CLIENTS_HTTP_SERVER_CERT", "certificate for HTTPS: a path or PEM")] = ""
    http_key: Annotated[str, Var("MG_CLIENTS_HTTP_SERVER_KEY", "key for HTTPS: a path or PEM", secret=True)] = ""
    http_read_timeout: Annotated[
        Duration, Var("MG_CLIENTS_HTTP_SERVER_READ_TIMEOUT", "for a request to arrive whole", low=0.001)
    ] = Duration(15)
    http_write_timeout: Annotated[
        Duration, Var("MG_CLIENTS_HTTP_SERVER_WRITE_TIMEOUT", "for a caller to take a part of an answer", low=0.001)
    ] = Duration(15)
    http_read_header_timeout: Annotated[
        Duration, Var("MG_CLIENTS_HTTP_SERVER_READ_HEADER_TIMEOUT", "for a request's headers to arrive", low=0.001)
    ] = Duration(5)
    http_idle_timeout: Annotated[
        Duration, Var("MG_CLIENTS_HTTP_SERVER_IDLE_TIMEOUT", "between requests on one connection", low=0.001)
    ] = Duration(60)
    http_max_header_bytes: Annotated[
        int, Var("MG_CLIENTS_HTTP_SERVER_MAX_HEADER_BYTES", "size of a request's headers", low=1024)
    ] = 1024 * 1024
    http_max_body_bytes: Annotated[int, Var("MG_CLIENTS_HTTP_MAX_BODY_BYTES", "size of a request's body", low=1024)] = (
        1024 * 1024
    )
    http_max_bulk_bytes: Annotated[int, Var("MG_CLIENTS_HTTP_MAX_BULK_BYTES", "size of a bulk request's body", low=1024)] = (
        16 * 1024 * 1024
    )
    http_max_requests: Annotated[
        int, Var("MG_CLIENTS_HTTP_MAX_REQUESTS", "requests worked on at a time; more get 503", low=1)
    ] = 256
    http_max_connections: Annotated[
        int, Var("MG_CLIENTS_HTTP_MAX_CONNECTIONS", "open connections; more are closed at once", low=1)
    ] = 1024

    grpc_host: Annotated[str, Var("MG_CLIENTS_GRPC_HOST", "address gRPC listens on; likewise")] = "localhost"
    grpc_port: Annotated[int, Var("MG_CLIENTS_GRPC_PORT", "port gRPC listens on; 0: any", low=0, high=65535)] = 7000
    grpc_cert: Annotated[str, Var("MG_CLIENTS_GRPC_SERVER_CERT", "certificate for gRPC over TLS: a path or PEM")] = ""
    grpc_key: Annotated[str, Var("MG_CLIENTS_GRPC_SERVER_KEY", "key for gRPC over TLS: a path or PEM", secret=True)] = ""
    grpc_server_ca: Annotated[
        str, Var("MG_CLIENTS_GRPC_SERVER_CA_CERTS", "accepted for compatibility; has no effect on a server")
    ] = ""
    grpc_client_ca: Annotated[
        str,
        Var("MG_CLIENTS_GRPC_CLIENT_CA_CERTS", "who signs clients' certificates, a path or PEM; set: they are required"),
    ] = ""
    grpc_max_requests: Annotated[
        int, Var("MG_CLIENTS_GRPC_MAX_REQUESTS", "calls worked on at a time; more get RESOURCE_EXHAUSTED", low=1)
    ] = 4096

    cache_url: Annotated[
        str,
        Var(
            "MG_CLIENTS_CACHE_URL",
            "in cloud mode, a Redis server that several processes share: `host:port`, `redis://` or `rediss://`; unset: none",
            secret=True,
        ),
    ] = ""
    cache_key_duration: Annotated[
        Duration, Var("MG_CLIENTS_CACHE_KEY_DURATION", "how long a successful Authenticate is remembered", low=0.001)
    ] = Duration(3600)
    cache_size: Annotated[int, Var("MG_CLIENTS_CACHE_SIZE", "how many are remembered; one takes about 400 bytes", low=1)] = (
        50_000
    )
    argon2_memory_kib: Annotated[
        int, Var("MG_CLIENTS_ARGON2_MEMORY_KIB", "memory to hash one chosen secret", low=8, high=4 * 1024 * 1024)
    ] = 19 * 1024
    argon2_passes: Annotated[int, Var("MG_CLIENTS_ARGON2_PASSES", "passes over it", low=1, high=64)] = 2
    wrong_tokens: Annotated[
        int,
        Var("MG_CLIENTS_HTTP_WRONG_TOKENS", "wrong bearer tokens a minute and address that get 401; more get 429", low=1),
    ] = 60
    argon2_workers: Annotated[
        int,
        Var("MG_CLIENTS_ARGON2_WORKERS", "chosen secrets hashed at a time, for checks and for changes", low=1, high=64),
    ] = 1
    argon2_waiting: Annotated[
        int, Var("MG_CLIENTS_ARGON2_WAITING", "chosen secrets that may wait to be hashed, of each kind", low=1)
    ] = 128
    write_queue: Annotated[int, Var("MG_CLIENTS_WRITE_QUEUE", "changes that may wait; more get 503", low=1)] = 1024
    activity_flush: Annotated[
        Duration, Var("MG_CLIENTS_ACTIVITY_FLUSH", "how often is written when clients were last seen", low=0.001)
    ] = Duration(900)
    query_timeout: Annotated[Duration, Var("MG_CLIENTS_QUERY_TIMEOUT", "for a list to be found", low=0.001, high=86_400)] = (
        Duration(5)
    )
    outbox_max_rows: Annotated[
        int, Var("MG_CLIENTS_OUTBOX_MAX_ROWS", "events kept until they are sent; the oldest go first", low=0)
    ] = 100_000
    outbox_max_bytes: Annotated[int, Var("MG_CLIENTS_OUTBOX_MAX_BYTES", "bytes of events kept until they are sent", low=0)] = (
        64 * 1024 * 1024
    )

    events_url: Annotated[
        str,
        Var(
            "MG_CLIENTS_ES_URL",
            "where events are sent: a Redis server as `host:port`, `redis://` or `rediss://`; unset: `MG_ES_URL`",
            secret=True,
        ),
    ] = ""
    shared_events_url: Annotated[
        str, Var("MG_ES_URL", "the same, for an installation as a whole; unset: events wait in the outbox", secret=True)
    ] = ""

    callout_urls: Annotated[
        tuple[str, ...],
        Var("MG_CLIENTS_CALLOUT_URLS", "who else is asked whether something may be done, separated by `,`", secret=True),
    ] = ()
    callout_operations: Annotated[
        tuple[str, ...], Var("MG_CLIENTS_CALLOUT_OPERATIONS", "about which operations, separated by `,`")
    ] = ()
    callout_method: Annotated[
        str,
        Var("MG_CLIENTS_CALLOUT_METHOD", "how they are asked: `post` a JSON body, or `get` a query", choices=("post", "get")),
    ] = "post"
    callout_timeout: Annotated[Duration, Var("MG_CLIENTS_CALLOUT_TIMEOUT", "for one of them to answer", low=0.001)] = Duration(
        10
    )
    callout_verify: Annotated[
        bool, Var("MG_CLIENTS_CALLOUT_TLS_VERIFICATION", "whether they have to prove who they are: `true` or `false`")
    ] = True
    callout_ca: Annotated[
        str, Var("MG_CLIENTS_CALLOUT_CA_CERT", "who signs their certificates, a path or PEM; unset: whom the system trusts")
    ] = ""
    callout_cert: Annotated[str, Var("MG_CLIENTS_CALLOUT_CERT", "certificate to show them: a path or PEM")] = ""
    callout_key: Annotated[str, Var("MG_CLIENTS_CALLOUT_KEY", "its key: a path or PEM", secret=True)] = ""

    jaeger_url: Annotated[
        str,
        Var(
            "MG_JAEGER_URL",
            "where traces are sent, by OTLP over HTTP, such as `http://localhost:4318/v1/traces`; unset: there are none",
            secret=True,
        ),
    ] = ""
    jaeger_ratio: Annotated[
        float, Var("MG_JAEGER_TRACE_RATIO", "of the traces that begin here, how many are sent: 0 to 1", low=0, high=1)
    ] = 1.0

    send_telemetry: Annotated[
        bool, Var("MG_SEND_TELEMETRY", "whether telemetry is sent where `MG_CALLHOME_URL` is set: `true` or `false`")
    ] = True
    callhome_url: Annotated[
        str, Var("MG_CALLHOME_URL", "the server telemetry is sent to, once a day; unset: nowhere", secret=True)
    ] = ""

    @property
    def authenticator(self) -> str:
        """Who says who callers are."""
        return self.auth_plugin or ("magistrala" if self.auth_grpc_url else "standalone")

    @property
    def cache_address(self) -> str:
        """The URL of the Redis server that processes share; empty: there is none."""
        return redis_url(self.cache_url) if self.cache_url else ""

    @property
    def event_stream(self) -> str:
        """The URL of the Redis server that events are sent to; empty: nowhere."""
        text = self.events_url or self.shared_events_url
        return redis_url(text) if text else ""

    # Services that are asked over gRPC (contract 11.3).
    auth_grpc_url: Annotated[str, _url("MG_AUTH_GRPC", "an Auth service, for the authenticator `magistrala`")] = ""
    auth_grpc_timeout: Annotated[Duration, _timeout("MG_AUTH_GRPC")] = Duration(1)
    auth_grpc_server_ca: Annotated[str, _server_ca("MG_AUTH_GRPC")] = ""
    auth_grpc_client_cert: Annotated[str, _client_cert("MG_AUTH_GRPC")] = ""
    auth_grpc_client_key: Annotated[str, _client_key("MG_AUTH_GRPC")] = ""
    domains_grpc_url: Annotated[
        str, _url("MG_DOMAINS_GRPC", "a domains service, which says whether a domain is enabled; unset: every domain is")
    ] = ""
    domains_grpc_timeout: Annotated[Duration, _timeout("MG_DOMAINS_GRPC")] = Duration(1)
    domains_grpc_server_ca: Annotated[str, _server_ca("MG_DOMAINS_GRPC")] = ""
    domains_grpc_client_cert: Annotated[str, _client_cert("MG_DOMAINS_GRPC")] = ""
    domains_grpc_client_key: Annotated[str, _client_key("MG_DOMAINS_GRPC")] = ""
    groups_grpc_url: Annotated[
        str, _url("MG_GROUPS_GRPC", "a groups service, which says whether a parent group can be used; unset: every group can")
    ] = ""
    groups_grpc_timeout: Annotated[Duration, _timeout("MG_GROUPS_GRPC")] = Duration(1)
    groups_grpc_server_ca: Annotated[str, _server_ca("MG_GROUPS_GRPC")] = ""
    groups_grpc_client_cert: Annotated[str, _client_cert("MG_GROUPS_GRPC")] = ""
    groups_grpc_client_key: Annotated[str, _client_key("MG_GROUPS_GRPC")] = ""
    channels_grpc_url: Annotated[
        str, _url("MG_CHANNELS_GRPC", "a channels service; set: the routes to connect clients are that one's")
    ] = ""
    channels_grpc_timeout: Annotated[Duration, _timeout("MG_CHANNELS_GRPC")] = Duration(1)
    channels_grpc_server_ca: Annotated[str, _server_ca("MG_CHANNELS_GRPC")] = ""
    channels_grpc_client_cert: Annotated[str, _client_cert("MG_CHANNELS_GRPC")] = ""
    channels_grpc_client_key: Annotated[str, _client_key("MG_CHANNELS_GRPC")] = ""
    auth_jwks_url: Annotated[
        str, Var("MG_AUTH_JWKS_URL", "where Auth's public keys are; set: access tokens are verified here, unset: by Auth")
    ] = ""
    allow_unverified_user: Annotated[
        bool, Var("MG_ALLOW_UNVERIFIED_USER", "whether users may call whose e-mail address Auth has not verified")
    ] = False


class Field(NamedTuple):
    """One setting as data."""

    attribute: str
    variable: Var
    type: Any
    default: Any


def fields() -> Iterator[Field]:
    """All settings, in their order."""
    hints = typing.get_type_hints(Settings, include_extras=True)
    for field in msgspec.structs.fields(Settings):
        kind, variable = typing.get_args(hints[field.name])
        yield Field(field.name, variable, kind, field.default)
