"""Settings are read as the published service's are (schema/README.md#settings), with schema/README.md#differences."""

from pathlib import Path
from typing import Any

import pytest

from edgeclients import settings


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10s", 10), ("1h30m", 5400), ("300ms", 0.3), ("3600", 3600), ("1.5h", 5400), ("1m.5s", 60.5), ("2h45m10s5ms", 9910.005)],
)
def test_durations(text: str, seconds: float) -> None:
    assert settings.load({"MG_CLIENTS_CACHE_KEY_DURATION": text}).cache_key_duration == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("MG_CLIENTS_CACHE_KEY_DURATION", "1h30"),
        ("MG_CLIENTS_CACHE_KEY_DURATION", "-1s"),
        ("MG_CLIENTS_CACHE_KEY_DURATION", "soon"),
        ("MG_CLIENTS_CACHE_KEY_DURATION", "0"),
        ("MG_CLIENTS_HTTP_PORT", "http"),
        ("MG_CLIENTS_HTTP_PORT", "65536"),
        ("MG_CLIENTS_HTTP_PORT", "1.0"),
        ("MG_CLIENTS_WRITE_QUEUE", "0"),
        ("MG_CLIENTS_MODE", "edge"),
        ("MG_CLIENTS_LOG_LEVEL", "loud"),
        ("MG_ALLOW_UNVERIFIED_USER", "yes"),
        ("MG_GROUPS_GRPC_TIMEOUT", "0"),
        ("MG_JAEGER_TRACE_RATIO", "1.01"),
        ("MG_JAEGER_TRACE_RATIO", "-0.1"),
        ("MG_JAEGER_TRACE_RATIO", "nan"),
        ("MG_JAEGER_TRACE_RATIO", "all"),
        ("MG_SEND_TELEMETRY", "no"),
    ],
)
def test_a_malformed_value_is_named(name: str, text: str) -> None:
    with pytest.raises(settings.Faults) as faults:
        settings.load({name: text})
    (line,) = faults.value.lines
    assert line.startswith(f"{name}: {text!r} is not ")


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(settings.Faults) as faults:
        settings.load({"MG_CLIENTS_HTTP_PORT": "x", "MG_CLIENTS_GRPC_PORT": "y", "MG_CLIENTS_LOG_LEVEL": "WARN"})
    assert [line.split(":")[0] for line in faults.value.lines] == ["MG_CLIENTS_HTTP_PORT", "MG_CLIENTS_GRPC_PORT"]


def test_empty_means_default() -> None:
    names = {field.variable.name: "" for field in settings.fields()}
    assert settings.load(names) == settings.load({}) == settings.Settings()


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "data"),
        ({"STATE_DIRECTORY": "/var/lib/edgeclients:/var/lib/other"}, "/var/lib/edgeclients"),
        ({"STATE_DIRECTORY": "/a", "MG_CLIENTS_DATA_DIR": "/b"}, "/b"),
    ],
)
def test_the_data_directory(environment: dict[str, str], expected: str) -> None:
    assert settings.load(environment).data_dir == Path(expected)


@pytest.mark.parametrize(
    ("text", "value"), [("1", True), ("T", True), ("true", True), ("0", False), ("F", False), ("False", False)]
)
def test_booleans(text: str, value: bool) -> None:
    assert settings.load({"MG_ALLOW_UNVERIFIED_USER": text}).allow_unverified_user is value


def test_lists() -> None:
    loaded = settings.load({"MG_CLIENTS_STANDALONE_DOMAINS": "a, b,,c ", "MG_CLIENTS_PEPPER_FILE": "/x,/y"})
    assert loaded.standalone_domains == ("a", "b", "c")
    assert loaded.pepper_files == (Path("/x"), Path("/y"))


def test_a_secret_is_never_shown() -> None:
    shown: dict[str, Any] = {f.variable.name: settings.shown(f, "geheim") for f in settings.fields() if f.variable.secret}
    assert set(shown) == {
        "MG_CLIENTS_STANDALONE_TOKEN",
        "MG_CLIENTS_DB_PASS",
        "MG_CLIENTS_DB_SSL_KEY",
        "MG_CLIENTS_HTTP_SERVER_KEY",
        "MG_CLIENTS_GRPC_SERVER_KEY",
        "MG_CLIENTS_CACHE_URL",
        "MG_CLIENTS_ES_URL",
        "MG_ES_URL",
        "MG_CLIENTS_CALLOUT_URLS",
        "MG_CLIENTS_CALLOUT_KEY",
        *(f"MG_{peer.upper()}_GRPC_CLIENT_KEY" for peer in settings.PEERS),
        "MG_JAEGER_URL",
        "MG_CALLHOME_URL",
    }
    assert set(shown.values()) == {"********"}


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        ({}, ""),
        ({"MG_CLIENTS_ES_URL": "stream:6379"}, "redis://stream:6379"),
        ({"MG_ES_URL": "redis://u:p%40@stream/3"}, "redis://u:p%40@stream/3"),
        ({"MG_CLIENTS_ES_URL": "rediss://a:1", "MG_ES_URL": "redis://b:2"}, "rediss://a:1"),
        ({"MG_CLIENTS_ES_URL": "[::1]:6379"}, "redis://[::1]:6379"),
        ({"MG_CLIENTS_ES_URL": "a", "MG_ES_URL": "amqp://guest:guest@b:5682/"}, "redis://a"),
        ({"MG_ES_URL": "rediss://a/?ssl_ca_certs=/x&ssl_certfile=/y"}, "rediss://a/?ssl_ca_certs=/x&ssl_certfile=/y"),
    ],
)
def test_where_events_are_sent(environment: dict[str, str], url: str) -> None:
    assert settings.load(environment).event_stream == url


@pytest.mark.parametrize(
    "text",
    [
        "amqp://guest:geheim@stream:5672/",
        "nats://:geheim@stream",
        "redis://:geheim@",
        "redis://:geheim@stream:port",
        "redis://:geheim@stream:65536",
        "redis://:geheim@stream/events",
        "redis://:geheim@stream?socket_timeout=0",
        "redis://:geheim@stream#x",
        "redis://:geheim@[stream",
        "redis://:ge[geheim]eim@stream",
        "redis://:geheim℀@stream",
    ],
)
@pytest.mark.parametrize("name", ["MG_CLIENTS_ES_URL", "MG_ES_URL"])
def test_nowhere_to_send_events_to(name: str, text: str) -> None:
    with pytest.raises(settings.Faults) as faults:
        settings.load({name: text})
    (line,) = faults.value.lines
    assert line.startswith(f"{name}: its value is not ")
    assert "geheim" not in line
    assert ("AMQP" in line) == text.startswith("amqp")


@pytest.mark.parametrize("text", ["localhost:4318", "ftp://:geheim@host", "http://", "http://:geheim@host:0", "jaeger"])
@pytest.mark.parametrize("name", ["MG_JAEGER_URL", "MG_CALLHOME_URL"])
def test_nowhere_to_send_traces_or_telemetry_to(name: str, text: str) -> None:
    with pytest.raises(settings.Faults) as faults:
        settings.load({name: text})
    assert faults.value.lines == [f"{name}: its value is not a URL with http:// or https://"]


@pytest.mark.parametrize(("text", "ratio"), [("0", 0), ("0.25", 0.25), ("1", 1), ("", 1), ("1.", 1), (".5", 0.5)])
def test_ratios(text: str, ratio: float) -> None:
    assert settings.load({"MG_JAEGER_TRACE_RATIO": text}).jaeger_ratio == ratio


def test_a_slip_of_the_pen_is_noticed() -> None:
    environment = {"MG_CLIENTS_HTP_PORT": "1", "MG_CLIENTS_HTTP_PORT": "1", "PATH": "/bin"}
    assert settings.unknown(environment) == ["MG_CLIENTS_HTP_PORT"]


@pytest.mark.parametrize(
    ("environment", "variable"),
    [
        ({"MG_CLIENTS_STANDALONE_ID": "x"}, "MG_CLIENTS_STANDALONE_TOKEN"),
        ({"MG_CLIENTS_STANDALONE_TOKEN": "x" * 16}, "MG_CLIENTS_STANDALONE_ID"),
        ({"MG_CLIENTS_STANDALONE_ID": "x", "MG_CLIENTS_STANDALONE_TOKEN": "short"}, "MG_CLIENTS_STANDALONE_TOKEN"),
        (
            {"MG_CLIENTS_STANDALONE_ID": "x", "MG_CLIENTS_STANDALONE_TOKEN": "x" * 16, "MG_AUTH_GRPC_URL": "auth:7001"},
            "MG_AUTH_GRPC_URL",
        ),
        ({"MG_CLIENTS_HTTP_SERVER_CERT": "x"}, "MG_CLIENTS_HTTP_SERVER_KEY"),
        ({"MG_CLIENTS_GRPC_SERVER_KEY": "x"}, "MG_CLIENTS_GRPC_SERVER_CERT"),
        ({"MG_CLIENTS_GRPC_CLIENT_CA_CERTS": "x"}, "MG_CLIENTS_GRPC_CLIENT_CA_CERTS"),
        *(
            ({f"MG_{peer.upper()}_GRPC_CLIENT_{given}": "x"}, f"MG_{peer.upper()}_GRPC_CLIENT_{missing}")
            for peer in settings.PEERS
            for given, missing in (("CERT", "KEY"), ("KEY", "CERT"))
        ),
        *(
            ({f"MG_{peer.upper()}_GRPC_CLIENT_CERT": "x", f"MG_{peer.upper()}_GRPC_CLIENT_KEY": "x"}, f"MG_{peer.upper()}_GRPC")
            for peer in settings.PEERS
        ),
        *(({f"MG_{peer.upper()}_GRPC_URL": "http://auth:7001"}, f"MG_{peer.upper()}_GRPC_URL") for peer in settings.PEERS),
        *(({"MG_AUTH_GRPC_URL": text}, "MG_AUTH_GRPC_URL") for text in ("auth", "auth 7001", "::::", ":7001", "a:b")),
        ({"MG_AUTH_JWKS_URL": "auth:9001/keys"}, "MG_AUTH_JWKS_URL"),
        ({"MG_CLIENTS_GRPC_PORT": "9006"}, "MG_CLIENTS_HTTP_PORT and MG_CLIENTS_GRPC_PORT are the same"),
        ({"MG_CLIENTS_DB_USER": "\udce9"}, "MG_CLIENTS_DB_USER: its value is not UTF-8"),
    ],
)
def test_settings_that_do_not_go_together(environment: dict[str, str], variable: str) -> None:
    with pytest.raises(settings.Faults) as faults:
        settings.load(environment)
    (line,) = faults.value.lines
    assert line.startswith(variable)
    assert "short" not in line.replace("shorter", "")


@pytest.mark.parametrize(
    ("environment", "mode"),
    [
        ({}, "gateway"),
        ({"MG_AUTH_GRPC_URL": "auth:7001"}, "cloud"),
        ({"MG_AUTH_GRPC_URL": "auth:7001", "MG_CLIENTS_MODE": "gateway"}, "gateway"),
        ({"MG_CLIENTS_MODE": "Cloud"}, "cloud"),
        ({"MG_AUTH_GRPC_URL": "auth:7001", "MG_CLIENTS_AUTH_PLUGIN": "standalone"}, "gateway"),
        ({"MG_AUTH_GRPC_URL": "[fd00::1]:7001"}, "cloud"),
        ({"MG_AUTH_GRPC_URL": "dns:///auth.internal:7001"}, "cloud"),
        ({"MG_CLIENTS_MODE": "cloud", "MG_AUTH_GRPC_URL": "auth:7001"}, "cloud"),
    ],
)
def test_the_storage_follows_the_authenticator_unless_it_is_chosen(environment: dict[str, str], mode: str) -> None:
    assert settings.load(environment).mode == mode


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"MG_CLIENTS_DB_SSL_MODE": "require", "MG_CLIENTS_DB_SSL_CERT": "c"}, "MG_CLIENTS_DB_SSL_KEY is missing"),
        ({"MG_CLIENTS_DB_SSL_MODE": "require", "MG_CLIENTS_DB_SSL_KEY": "k"}, "MG_CLIENTS_DB_SSL_CERT is missing"),
        ({"MG_CLIENTS_DB_SSL_ROOT_CERT": "ca"}, "MG_CLIENTS_DB_SSL_MODE"),
        ({"MG_CLIENTS_DB_SSL_MODE": "prefer"}, "MG_CLIENTS_DB_SSL_MODE: 'prefer' is not one of"),
        ({"MG_CLIENTS_DB_MAX_CONNECTIONS": "2"}, "MG_CLIENTS_DB_MAX_CONNECTIONS: '2' is not 3 or more"),
    ],
)
def test_what_is_wrong_with_the_database_settings_is_named(environment: dict[str, str], named: str) -> None:
    with pytest.raises(settings.Faults) as faults:
        settings.load(environment)
    (line,) = faults.value.lines
    assert named in line


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({}, "only one process can use a SQLite directory"),
        ({"MG_CLIENTS_MODE": "cloud"}, "set MG_CLIENTS_STANDALONE_ID and _TOKEN"),
    ],
)
def test_what_several_workers_cannot_share_is_named(environment: dict[str, str], named: str) -> None:
    with pytest.raises(settings.Faults) as faults:
        settings.load({"MG_CLIENTS_WORKERS": "2", **environment})
    (line,) = faults.value.lines
    assert line.startswith("MG_CLIENTS_WORKERS: ")
    assert named in line


def test_several_workers_are_for_the_cloud() -> None:
    assert settings.load({"MG_CLIENTS_WORKERS": "2", "MG_AUTH_GRPC_URL": "auth:7001"}).workers == 2
    named = {"MG_CLIENTS_STANDALONE_ID": "operator", "MG_CLIENTS_STANDALONE_TOKEN": "a-token-of-some-length"}
    assert settings.load({"MG_CLIENTS_WORKERS": "2", "MG_CLIENTS_MODE": "cloud", **named}).workers == 2
