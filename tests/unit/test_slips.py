"""What gets into values on their way into the environment is told, not used."""

from pathlib import Path

import pytest

from edgeclients import settings
from tests.support.certificates import Authority

NAMED = {"MG_CLIENTS_STANDALONE_ID": "op"}
TOKEN = "a-token-of-some-length"
ANYTHING = "MG_CLIENTS_DB_PASS"


def lines(env: dict[str, str]) -> list[str]:
    """What is wrong with it."""
    try:
        settings.load(env)
    except settings.Faults as faults:
        return faults.lines
    return []


@pytest.mark.parametrize("name", [field.variable.name for field in settings.fields()])
def test_a_line_end_of_windows_is_named_in_every_value(name: str) -> None:
    line = next(line for line in lines({name: "5\r"}) if line.startswith(f"{name}:"))
    assert line.startswith(f"{name}: its value ends with a carriage return: save the file")
    line = next(line for line in lines({name: "\ufeff5"}) if line.startswith(f"{name}:"))
    assert line.startswith(f"{name}: its value begins with a byte order mark")
    line = next(line for line in lines({name: "5\n5"}) if line.startswith(f"{name}:"))
    assert line.startswith(f"{name}: its value holds a control character (U+000A)")


@pytest.mark.parametrize("text", ['"/var/lib/x"', "'/var/lib/x'", '"/var/lib/x', "/var/lib/x'", " /var/lib/x", "/var/lib/x "])
def test_a_path_that_nobody_meant(text: str) -> None:
    (line,) = lines({"MG_CLIENTS_DATA_DIR": text})
    assert line.startswith("MG_CLIENTS_DATA_DIR: its value ")
    assert "write it without" in line
    (line,) = lines({"MG_CLIENTS_PEPPER_FILE": f"/a,{text.replace(' ', chr(9))}"})
    assert line.startswith("MG_CLIENTS_PEPPER_FILE: its value ")


@pytest.mark.parametrize("name", ["MG_CLIENTS_HTTP_HOST", "MG_CLIENTS_MODE", "MG_CLIENTS_DB_USER", "MG_CLIENTS_INSTANCE_ID"])
def test_quotes_are_none_of_the_values(name: str) -> None:
    assert lines({name: '"gateway"'}) == [f"{name}: its value is in quotes, which become part of it: write it without quotes"]


@pytest.mark.parametrize("text", ["/home/o'brien/data", '/srv/the "old" one/data', "/srv/two words/data", "/srv/é/data", "./x"])
def test_a_path_may_be_odd(text: str) -> None:
    assert settings.load({"MG_CLIENTS_DATA_DIR": text}).data_dir == Path(text)


@pytest.mark.parametrize("text", ['"quoted"', " blank ", "tab\tbed", "é", "'"])
def test_a_password_is_what_its_server_says(text: str) -> None:
    assert settings.load({ANYTHING: text}).db_pass == text


def test_pem_has_lines() -> None:
    pair = Authority().sign("x")
    env = {"MG_CLIENTS_HTTP_SERVER_CERT": pair.certificate, "MG_CLIENTS_HTTP_SERVER_KEY": pair.key.replace("\n", "\r\n")}
    assert settings.load(env).http_cert == pair.certificate


@pytest.mark.parametrize(
    ("token", "told"),
    [
        ("\ufeff" + TOKEN, "byte order mark"),
        (TOKEN + "\r", "carriage return"),
        (TOKEN + "\n", "U+000A"),
        (TOKEN + "\t" + TOKEN, "U+0009"),
        (TOKEN + "\x7f" + TOKEN, "U+007F"),
        (TOKEN + "\x85" + TOKEN, "U+0085"),
        (TOKEN + " ", "a blank"),
        ("\u00a0" + TOKEN, "a blank"),
        (f'"{TOKEN}"', "in quotes"),
        (TOKEN + "é", "not ASCII"),
        (TOKEN + "\u200b" + TOKEN, "not ASCII"),
        (TOKEN[:15], "shorter than 16"),
    ],
)
def test_a_token_that_nobody_can_send(token: str, told: str) -> None:
    (line,) = lines({**NAMED, "MG_CLIENTS_STANDALONE_TOKEN": token})
    assert line.startswith("MG_CLIENTS_STANDALONE_TOKEN")
    assert told in line
    assert token not in line
    assert TOKEN[:15] not in line


@pytest.mark.parametrize("token", [TOKEN, "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", "two words and more of them"])
def test_a_token_that_can_be_sent(token: str) -> None:
    assert settings.load({**NAMED, "MG_CLIENTS_STANDALONE_TOKEN": token}).standalone_token == token


@pytest.mark.parametrize("domain", ["a b", "a/b", "é", ".", "..", "x" * 37, "a;b", '"a'])
def test_a_domain_that_is_none(domain: str) -> None:
    (line,) = lines({"MG_CLIENTS_STANDALONE_DOMAINS": f"a, {domain} ,b"})
    assert line.startswith("MG_CLIENTS_STANDALONE_DOMAINS: ")
    assert repr(domain) in line
    assert "is not a domain id" in line


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("MG_CLIENTS_HTTP_HOST", "[::1]"),
        ("MG_CLIENTS_HTTP_HOST", "http://localhost"),
        ("MG_CLIENTS_GRPC_HOST", "localhost:7000"),
        ("MG_CLIENTS_GRPC_HOST", "two words"),
        ("MG_CLIENTS_DB_HOST", "db example"),
        ("MG_CLIENTS_DB_HOST", "postgres://db"),
        ("MG_CLIENTS_CALLOUT_URLS", "http://a b/"),
        ("MG_JAEGER_URL", "http://jaeger:4318/v1/ traces"),
        ("MG_CALLHOME_URL", "http://call home/"),
        ("MG_CLIENTS_ES_URL", "redis://two words"),
        ("MG_AUTH_GRPC_URL", "auth:70010"),
        ("MG_AUTH_GRPC_URL", "auth:0"),
    ],
)
def test_an_address_that_is_none(name: str, text: str) -> None:
    (line,) = lines({name: text})
    assert line.startswith(name)


@pytest.mark.parametrize("host", ["::", "::1", "fe80::1%eth0", "0.0.0.0", "a-b.example", "a_b"])
def test_a_host(host: str) -> None:
    assert settings.load({"MG_CLIENTS_HTTP_HOST": host, "MG_CLIENTS_DB_HOST": host}).http_host == host


def test_a_folder_of_sockets_is_a_database_host() -> None:
    assert settings.load({"MG_CLIENTS_DB_HOST": "/run/my postgresql"}).db_host == "/run/my postgresql"


def test_a_byte_order_mark_before_the_first_name() -> None:
    assert settings.unknown({"\ufeffMG_CLIENTS_MODE": "cloud", "\ufeffOTHER": ""}) == ["\ufeffMG_CLIENTS_MODE"]
