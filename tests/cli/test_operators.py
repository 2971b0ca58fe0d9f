"""`edgeclients operators`: who else may call, kept beside a service that runs or does not."""

import contextlib
import fcntl
import hashlib
import hmac
import json
import os
import re
import shutil
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.cli import test_start
from tests.cli.test_upgrade import with_schema_1
from tests.support.api import Api, error_of
from tests.support.commands import Ended, run
from tests.support.database import keep_events, opened, rows, write_locked
from tests.support.elsewhere import Elsewhere
from tests.support.program import PROGRAM
from tests.support.raw import Answer, Raw, request
from tests.support.service import Service, environment, started
from tests.support.users import NOBODY
from tests.support.waiting import PATIENCE

ROOT = Path(__file__).resolve().parents[2]
TOKEN = re.compile(r"mgo_ann_[0-9a-f]{64}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z")

COMMANDS = [
    ("add", "bob"),
    ("change", "ann", "--name", "Anna"),
    ("list",),
    ("remove", "ann"),
    ("token", "add", "ann", "phone"),
    ("token", "list", "ann"),
    ("token", "remove", "ann", "laptop"),
]


def operators(*arguments: str, data: Path, env: Mapping[str, str] = {}) -> Ended:
    return run("operators", *arguments, data=data, env=env)


def done(*arguments: str, data: Path, env: Mapping[str, str] = {}) -> str:
    """What it printed, when it did what it was told."""
    ended = operators(*arguments, data=data, env=env)
    assert (ended.code, ended.err) == (0, ""), ended
    return ended.out


def told(*arguments: str, data: Path) -> Any:
    """The same as JSON."""
    return json.loads(done(*arguments, "--output", "json", data=data))


def new_token(data: Path, name: str, *arguments: str) -> str:
    """A token of Ann's."""
    return done("token", "add", "ann", name, *arguments, data=data).strip()


def everything(data: Path) -> list[str]:
    """The whole database as text."""
    with opened(data / "clients.db") as file:
        return list(file.iterdump())


def counts(data: Path) -> tuple[int, ...]:
    """How much there is of Ann, and how many were told that she left a role; all at one moment."""
    sql = (
        "SELECT (SELECT count(*) FROM operators WHERE id = 'ann'), (SELECT count(*) FROM operator_domains),"
        " (SELECT count(*) FROM operator_tokens), (SELECT count(*) FROM clients_role_members WHERE member_id = 'ann'),"
        " (SELECT count(*) FROM outbox WHERE instr(CAST(payload AS TEXT), 'client.role.members.remove'))"
    )
    return tuple(rows(data, sql)[0])


def files(folder: Path) -> dict[str, int]:
    """The files there, and their modes."""
    return {path.name: stat.S_IMODE(path.lstat().st_mode) for path in folder.iterdir()}


class Caller(NamedTuple):
    """Somebody with a token, on one connection that stays open."""

    service: Service
    raw: Raw
    token: str

    def ask(self, path: str, method: str = "GET", body: bytes = b"") -> Answer:
        return self.raw.send(request(self.service, method, path, body, authorization=f"Bearer {self.token}")).answer()


@contextlib.contextmanager
def calling(service: Service, token: str) -> Iterator[Caller]:
    with Raw(service) as raw:
        yield Caller(service, raw, token)


@pytest.fixture(scope="module")
def hired(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of a service that is stopped, with one operator, Ann, who has a token called laptop."""
    data = tmp_path_factory.mktemp("hired") / "data"
    with started(data) as service:
        keep_events(service)
    done("add", "ann", "--name", "Änn", "--domain", "d1=admin", "--domain", "d2=member", data=data)
    new_token(data, "laptop")
    assert counts(data) == (1, 2, 1, 0, 0)
    return data


@pytest.fixture
def data(hired: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(hired, tmp_path / "data")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that runs."""
    with started(tmp_path_factory.mktemp("running") / "data", {"MG_CLIENTS_LOG_LEVEL": "debug"}) as service:
        keep_events(service)
        yield service


@pytest.fixture
def service(running: Service) -> Iterator[Service]:
    """The same, and Ann is admin in d1 and member in d2 for one test."""
    done("add", "ann", "--domain", "d1=admin", "--domain", "d2=member", data=running.data)
    yield running
    operators("remove", "ann", data=running.data)


# What the commands do and say.


def test_operators_as_text(data: Path) -> None:
    done("remove", "ann", data=data)
    assert done("list", data=data) == "ID  NAME  DOMAINS\n"
    assert done("add", "bob", data=data) == "ID   NAME  DOMAINS\nbob  bob\n"
    assert done("add", "a.B_1@x-y", "--name", "Bee Bumble", "--domain", "d2=member", "--domain", "d1=admin", data=data) == (
        "ID         NAME        DOMAINS\na.B_1@x-y  Bee Bumble  d2=member,d1=admin\n"
    )
    assert done("change", "bob", "--name", "Robert", "--domain", "d1=member", data=data) == (
        "ID   NAME    DOMAINS\nbob  Robert  d1=member\n"
    )
    assert done("list", data=data) == (
        "ID         NAME        DOMAINS\na.B_1@x-y  Bee Bumble  d1=admin,d2=member\nbob        Robert      d1=member\n"
    )
    assert done("remove", "bob", data=data) == "bob is removed, with 0 role memberships\n"
    assert "bob" not in done("list", data=data)


def test_operators_as_json(data: Path) -> None:
    (ann,) = told("list", data=data)
    assert ann == {"id": "ann", "name": "Änn", "domains": {"d1": "admin", "d2": "member"}, "created_at": ann["created_at"]}
    assert TIME.fullmatch(ann["created_at"])
    bob = told("add", "bob", "--domain", "d1=admin", data=data)
    assert bob == {"id": "bob", "name": "bob", "domains": {"d1": "admin"}, "created_at": bob["created_at"]}
    assert told("change", "ann", "--name", "Anna", data=data) == {**ann, "name": "Anna"}
    assert told("list", data=data) == [{**ann, "name": "Anna"}, bob]
    assert told("remove", "bob", data=data) == {"id": "bob", "roles": 0}
    assert told("remove", "ann", data=data) == {"id": "ann", "roles": 0}
    assert told("list", data=data) == []


def test_a_change_leaves_what_it_does_not_name(data: Path) -> None:
    def domains(*arguments: str) -> object:
        return told("change", "ann", *arguments, data=data)["domains"]

    assert domains() == {"d1": "admin", "d2": "member"}
    assert domains("--domain", "d2=admin", "--domain", "d3=member") == {"d1": "admin", "d2": "admin", "d3": "member"}
    assert domains("--without", "d1", "--without", "d3") == {"d2": "admin"}
    assert domains("--without", "never") == {"d2": "admin"}
    assert domains("--domain", "d4=admin", "--without", "d4") == {"d2": "admin"}
    assert domains("--domain", "d2=admin", "--domain", "d2=member") == {"d2": "member"}, "the last one counts"
    assert domains("--without", "d2") == {}
    assert told("list", data=data)[0]["name"] == "Änn"


def test_tokens_as_text(data: Path) -> None:
    made = new_token(data, "phone of Änn", "--expires-in", "720h")
    assert TOKEN.fullmatch(made)
    head, laptop, phone = done("token", "list", "ann", data=data).splitlines()
    assert head.split("  ")[0] == "NAME"
    assert re.split(r"\s\s+", head) == ["NAME", "CREATED", "EXPIRES", "LAST USED"]
    name, made_at, *rest = re.split(r"\s\s+", laptop)
    assert (name, bool(TIME.fullmatch(made_at)), rest) == ("laptop", True, ["never", "never"])
    name, made_at, expires_at, used_at = re.split(r"\s\s+", phone)
    assert (name, used_at) == ("phone of Änn", "never")
    assert TIME.fullmatch(expires_at)
    assert expires_at > made_at
    assert done("token", "remove", "ann", "laptop", data=data) == "laptop is removed\n"
    assert done("token", "remove", "ann", "phone of Änn", data=data) == "phone of Änn is removed\n"
    assert done("token", "list", "ann", data=data) == "NAME  CREATED  EXPIRES  LAST USED\n"


def test_tokens_as_json(data: Path) -> None:
    (laptop,) = told("token", "list", "ann", data=data)
    assert laptop == {
        "operator": "ann",
        "name": "laptop",
        "created_at": laptop["created_at"],
        "expires_at": None,
        "last_used_at": None,
    }
    made = told("token", "add", "ann", "phone", "--expires-in", "1h30m", data=data)
    token = made.pop("token")
    assert TOKEN.fullmatch(token)
    assert told("token", "list", "ann", data=data) == [laptop, made]
    ((created_at, expires_at),) = rows(data, "SELECT created_at, expires_at FROM operator_tokens WHERE name = 'phone'")
    assert 5400_000_000 <= expires_at - created_at < 5401_000_000
    assert told("token", "remove", "ann", "laptop", data=data) == {"operator": "ann", "name": "laptop"}
    assert told("token", "list", "ann", data=data) == [made]


def test_two_operators_may_call_their_tokens_the_same(data: Path) -> None:
    done("add", "bob", data=data)
    assert done("token", "add", "bob", "laptop", data=data).startswith("mgo_bob_")
    done("token", "remove", "ann", "laptop", data=data)
    assert [token["name"] for token in told("token", "list", "bob", data=data)] == ["laptop"]


@pytest.mark.parametrize("words", [(), ("token",)], ids=str)
def test_help_names_the_commands(words: tuple[str, ...], tmp_path: Path) -> None:
    ended = operators(*words, "--help", data=tmp_path)
    assert ended.code == 0
    for command in COMMANDS:
        if command[: len(words)] == words:
            assert re.search(rf"^ +{command[len(words)]} +\w+", ended.out, re.MULTILINE)
    assert operators(*words, data=tmp_path).code == 2


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_a_help_text(command: tuple[str, ...], tmp_path: Path) -> None:
    words = command[: 2 if command[0] == "token" else 1]
    ended = operators(*words, "--help", data=tmp_path / "none")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(f"usage: edgeclients operators {' '.join(words)}")
    assert re.search(r"^[A-Z][a-z' ,]+\.$", ended.out, re.MULTILINE)
    assert "--output {text,json}" in ended.out


# What they refuse.


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("add", "ann"), 1, "operator already exists"),
        (("add", ""), 1, "operator"),
        (("add", "a b"), 1, "operator"),
        (("add", "a/b"), 1, "operator"),
        (("add", "änn"), 1, "operator"),
        (("add", "a\n"), 1, "operator"),
        (("add", "x" * 37), 1, "operator"),
        (("add", "bob", "--name", ""), 1, "name"),
        (("add", "bob", "--name", "x" * 201), 1, "name"),
        (("add", "bob", "--name", "a\nb"), 1, "name"),
        (("add", "bob", "--name", "\x1b[31mred"), 1, "name"),
        (("add", "bob", "--name", "\udcff"), 1, "name"),
        (("add", "bob", "--domain", "a/b=admin"), 1, "domain"),
        (("add", "bob", "--domain", "..=admin"), 1, "domain"),
        (("add", "bob", "--domain", "=admin"), 1, "domain"),
        (("add", "bob", "--domain", "\udcff=admin"), 1, "domain"),
        (("add", "bob", "--domain", "x" * 37 + "=admin"), 1, "domain"),
        (("add", "bob", "--domain", "d1"), 2, "d1"),
        (("add", "bob", "--domain", "d1=boss"), 2, "d1=boss"),
        (("add", "bob", "--domain", "d1=Admin"), 2, "d1=Admin"),
        (("change", "bob", "--name", "Bob"), 1, "operator not found"),
        (("change", "Ann", "--name", "Ann"), 1, "operator not found"),
        (("change", "ann", "--name", ""), 1, "name"),
        (("change", "ann", "--domain", "a b=admin"), 1, "domain"),
        (("change", "ann", "--domain", "d1="), 2, "d1="),
        (("remove", "bob"), 1, "operator not found"),
        (("token", "list", "bob"), 1, "operator not found"),
        (("token", "add", "bob", "laptop"), 1, "operator not found"),
        (("token", "add", "ann", "laptop"), 1, "token name is not available"),
        (("token", "add", "ann", ""), 1, "name"),
        (("token", "add", "ann", "x" * 201), 1, "name"),
        pytest.param(
            ("token", "add", "ann", "a\x00b"), 1, "name", marks=pytest.mark.source_only("no process gets such an argument")
        ),
        (("token", "add", "ann", "phone", "--expires-in", "soon"), 2, "soon"),
        (("token", "add", "ann", "phone", "--expires-in", "0s"), 2, "0s"),
        (("token", "add", "ann", "phone", "--expires-in", "0.5s"), 2, "0.5s"),
        (("token", "add", "ann", "phone", "--expires-in", "876001h"), 2, "876001h"),
        (("token", "add", "ann", "phone", "--expires-in", "9" * 400), 2, "9" * 400),
        (("token", "add", "ann", "phone", "--expires-in", "nan"), 2, "nan"),
        (("token", "remove", "bob", "laptop"), 1, "operator not found"),
        (("token", "remove", "ann", "phone"), 1, "token not found"),
        (("token", "remove", "ann", "Laptop"), 1, "token not found"),
        (("list", "--output", "yaml"), 2, "yaml"),
    ],
    ids=lambda value: " ".join(value)[:60].encode("ascii", "backslashreplace").decode() if isinstance(value, tuple) else "",
)
def test_a_mistake_is_told_in_one_line_and_changes_nothing(
    data: Path, arguments: tuple[str, ...], code: int, text: str
) -> None:
    before = everything(data)
    ended = operators(*arguments, data=data)
    assert (ended.code, ended.out) == (code, ""), ended
    *usage, line = ended.err.splitlines()
    assert bool(usage) == (code == 2), ended
    assert line.startswith("edgeclients")
    assert text in line
    assert everything(data) == before


@pytest.mark.parametrize(
    "command",
    [
        ("add", "\udcff"),
        ("change", "\udcff"),
        ("remove", "\udcff"),
        ("token", "list", "\udcff"),
        ("token", "add", "\udcff", "phone"),
        ("token", "add", "ann", "\udcff"),
        ("token", "remove", "\udcff", "laptop"),
        ("token", "remove", "ann", "\udcff"),
    ],
    ids=lambda command: " ".join(command).encode("ascii", "backslashreplace").decode(),
)
def test_an_argument_that_is_no_text(data: Path, command: tuple[str, ...]) -> None:
    """The bytes of some other encoding."""
    ended = operators(*command, data=data)
    assert ended.code == 1
    assert ended.line.startswith("edgeclients: ")


def test_the_standalone_operators_id_is_taken(data: Path) -> None:
    made = (data / "operator.id").read_text()
    ended = operators("add", made, data=data)
    assert (ended.code, ended.out) == (1, "")
    assert "operator already exists" in ended.line
    assert "standalone" in ended.line
    named = {"MG_CLIENTS_STANDALONE_ID": "boss", "MG_CLIENTS_STANDALONE_TOKEN": "a-token-of-some-length"}
    ended = operators("add", "boss", data=data, env=named)
    assert (ended.code, ended.out) == (1, "")
    assert "operator already exists" in ended.line
    assert [one["id"] for one in told("list", data=data)] == ["ann"]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_data_directory_that_is_not_there_is_not_made(tmp_path: Path, command: tuple[str, ...]) -> None:
    data = tmp_path / "state" / "data"
    ended = operators(*command, data=data)
    assert (ended.code, ended.out) == (1, "")
    assert str(data) in ended.line
    assert "MG_CLIENTS_DATA_DIR" in ended.line
    assert list(tmp_path.iterdir()) == []
    data.mkdir(parents=True)
    ended = operators(*command, data=data)
    assert (ended.code, ended.out) == (1, "")
    assert str(data) in ended.line
    assert list(data.iterdir()) == [], "nothing is made in one without a database"


def test_settings_that_are_wrong_are_all_told(data: Path) -> None:
    ended = operators("list", data=data, env={"MG_CLIENTS_HTTP_PORT": "x", "MG_CLIENTS_LOG_LEVEL": "loud"})
    assert (ended.code, ended.out) == (78, "")
    assert sorted(line.split(":")[1].strip() for line in ended.err.splitlines()) == [
        "MG_CLIENTS_HTTP_PORT",
        "MG_CLIENTS_LOG_LEVEL",
    ]


def no_pepper(data: Path) -> dict[str, str]:
    (data / "pepper").unlink()
    return {}


def pepper_that_cannot_be_read(data: Path) -> dict[str, str]:
    (data / "pepper").unlink()
    (data / "pepper").mkdir()
    return {}


def short_pepper(data: Path) -> dict[str, str]:
    (data / "pepper").write_bytes(b"short")
    return {}


def another_pepper(data: Path) -> dict[str, str]:
    (data / "pepper").write_bytes(bytes(32))
    return {}


def another_pepper_named(data: Path) -> dict[str, str]:
    (data.parent / "other").write_bytes(bytes(32))
    return {"MG_CLIENTS_PEPPER_FILE": str(data.parent / "other")}


def another_pepper_in_front(data: Path) -> dict[str, str]:
    return {"MG_CLIENTS_PEPPER_FILE": f"{another_pepper_named(data)['MG_CLIENTS_PEPPER_FILE']},{data / 'pepper'}"}


def no_pepper_of_that_name(data: Path) -> dict[str, str]:
    return {"MG_CLIENTS_PEPPER_FILE": str(data.parent / "none")}


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (no_pepper, "data/pepper cannot be read"),
        (pepper_that_cannot_be_read, "data/pepper cannot be read"),
        (short_pepper, "5 bytes, not 32"),
        (another_pepper, "MG_CLIENTS_PEPPER_FILE"),
        (another_pepper_named, "MG_CLIENTS_PEPPER_FILE"),
        (another_pepper_in_front, "MG_CLIENTS_PEPPER_FILE"),
        (no_pepper_of_that_name, "none cannot be read"),
    ],
)
def test_only_a_new_token_takes_the_services_pepper(data: Path, spoil: Callable[[Path], dict[str, str]], text: str) -> None:
    env = spoil(data)
    before, there = everything(data), files(data)
    ended = operators("token", "add", "ann", "phone", data=data, env=env)
    assert (ended.code, ended.out) == (1, "")
    assert text in ended.line
    assert (everything(data), files(data)) == (before, there)
    for command in sorted(COMMANDS, key=lambda command: command == ("remove", "ann")):
        if command[:2] != ("token", "add"):
            done(*command, data=data, env=env)
    assert [one["id"] for one in told("list", data=data)] == ["bob"]


def first_schema(data: Path) -> None:
    old = with_schema_1(data, data.with_name("old"), data.with_name("schema"))
    shutil.rmtree(data)
    old.rename(data)


def nothing(data: Path) -> None:
    os.truncate(data / "clients.db", 0)


def cut_short(data: Path) -> None:
    os.truncate(data / "clients.db", 5000)


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (first_schema, "older edgeclients: start the service"),
        (nothing, "older edgeclients: start the service"),
        (test_start.newer, "has schema 9999"),
        (test_start.by_another_file, "0001_clients.sql"),
        (test_start.of_the_original, "original Magistrala"),
        (test_start.of_something_else, "not a database of edgeclients"),
        (test_start.garbage, "damaged: restore it from the backup"),
        (test_start.header_gone, "damaged: restore it from the backup"),
        (cut_short, "damaged: restore it from the backup"),
        (test_start.a_directory, "cannot be used"),
    ],
)
def test_a_database_that_is_not_the_services_is_left_as_it_is(data: Path, spoil: Callable[[Path], None], text: str) -> None:
    spoil(data)
    database = data / "clients.db"
    before, there = database.is_file() and database.read_bytes(), files(data)
    for command in COMMANDS:
        ended = operators(*command, data=data)
        assert (ended.code, ended.out) == (1, ""), command
        assert str(database) in ended.line
        assert text in ended.line
    assert (database.is_file() and database.read_bytes(), files(data)) == (before, there)


@pytest.mark.parametrize("table", ["operators", "operator_tokens"])
def test_a_damaged_page_is_told_in_one_line(data: Path, table: str) -> None:
    test_start.damage(data, table)
    for command in (("list",), ("token", "list", "ann"), ("remove", "ann")):
        ended = operators(*command, data=data)
        if ended.code:
            assert (ended.code, ended.out) == (1, "")
            assert ended.line.startswith("edgeclients: ")
    assert ended.code == 1


def test_somebody_has_a_hundred_tokens_at_most(data: Path) -> None:
    with opened(data / "clients.db") as file:
        file.executemany(
            "INSERT INTO operator_tokens (digest, key_id, operator_id, name, created_at) VALUES (?, '', 'ann', ?, 0)",
            [(b"%d" % number, f"t{number}") for number in range(98)],
        )
    new_token(data, "the hundredth")
    ended = operators("token", "add", "ann", "one more", data=data)
    assert (ended.code, ended.out) == (1, "")
    assert "tokens" in ended.line
    done("token", "remove", "ann", "t0", data=data)
    new_token(data, "one more")
    assert len(told("token", "list", "ann", data=data)) == 100
    done("add", "bob", data=data)
    done("token", "add", "bob", "his own", data=data)


def test_somebody_is_in_a_thousand_domains_at_most(data: Path) -> None:
    most = [word for number in range(1000) for word in ("--domain", f"d{number}=admin")]
    assert len(told("add", "bob", *most, data=data)["domains"]) == 1000
    before = everything(data)
    for command in (("add", "zoe", *most, "--domain", "x=member"), ("change", "bob", "--domain", "x=member")):
        ended = operators(*command, data=data)
        assert (ended.code, ended.out) == (1, "")
        assert "domains" in ended.line
    assert everything(data) == before
    assert told("change", "bob", "--domain", "x=member", "--without", "d0", data=data)["domains"]["x"] == "member"


@pytest.mark.parametrize("command", [("list",), ("token", "add", "ann", "phone")], ids=" ".join)
def test_an_output_that_cannot_be_written_is_told_in_one_line(data: Path, command: tuple[str, ...]) -> None:
    as_users_do = [*PROGRAM, "operators", *command]
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            as_users_do, env=environment(data), stdout=full, stderr=subprocess.PIPE, text=True, check=False, cwd=ROOT
        )
    assert ended.returncode not in {0, -6}
    assert len(ended.stderr.splitlines()) == 1, ended.stderr


def test_a_name_that_the_terminal_cannot_show(data: Path) -> None:
    as_users_do = [*PROGRAM, "operators", "list"]
    env = environment(data, {"PYTHONIOENCODING": "ascii"})
    ended = subprocess.run(as_users_do, env=env, capture_output=True, text=True, check=False, cwd=ROOT)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "ann" in ended.stdout


# Beside a service that runs.


def test_a_token_works_at_once(service: Service) -> None:
    with calling(service, new_token(service.data, "laptop")) as ann:
        created = ann.ask("/d1/clients", "POST", b'{"name":"n"}')
        assert created.status == 201
        client_id = json.loads(created.body)["id"]
        assert ann.ask(f"/d1/clients/{client_id}").status == 200
        assert ann.ask(f"/d2/clients/{client_id}").status == 404
        assert ann.ask("/d3/clients").error == "domain_forbidden"


def test_a_removed_token_is_refused_by_the_next_request(service: Service) -> None:
    laptop, phone = (new_token(service.data, name) for name in ("laptop", "phone"))
    with calling(service, laptop) as one, calling(service, phone) as other:
        assert (one.ask("/d1/clients").status, other.ask("/d1/clients").status) == (200, 200)
        done("token", "remove", "ann", "laptop", data=service.data)
        assert one.ask("/d1/clients").status == 401
        assert other.ask("/d1/clients").status == 200
        again = new_token(service.data, "laptop")
        assert one.ask("/d1/clients").status == 401
        assert one._replace(token=again).ask("/d1/clients").status == 200


def test_a_removed_operator_is_refused_by_the_next_request(service: Service) -> None:
    with calling(service, new_token(service.data, "laptop")) as ann:
        assert ann.ask("/d1/clients").status == 200
        done("remove", "ann", data=service.data)
        assert ann.ask("/d1/clients").status == 401
        done("add", "ann", "--domain", "d1=admin", data=service.data)
        assert ann.ask("/d1/clients").status == 401, "a namesake has tokens of their own"
        assert told("token", "list", "ann", data=service.data) == []


def test_changed_domains_hold_from_the_next_request_on(service: Service) -> None:
    with Api(service, "d1") as api, calling(service, new_token(service.data, "laptop")) as ann:
        client = f"/d1/clients/{api.create(name='n')['id']}"
        assert ann.ask(client).status == 200
        done("change", "ann", "--domain", "d1=member", data=service.data)
        assert ann.ask(client).error == "forbidden"
        assert ann.ask("/d1/clients").status == 200
        done("change", "ann", "--without", "d1", data=service.data)
        assert ann.ask(client).error == "domain_forbidden"
        done("change", "ann", "--domain", "d1=admin", data=service.data)
        assert ann.ask(client).status == 200


def test_an_expired_token_is_refused_and_still_listed(service: Service) -> None:
    with calling(service, new_token(service.data, "laptop", "--expires-in", "1h")) as ann:
        assert ann.ask("/d1/clients").status == 200
        with opened(service.data / "clients.db") as file:
            file.execute("UPDATE operator_tokens SET expires_at = created_at - 1")
        assert ann.ask("/d1/clients").status == 401
        assert [token["name"] for token in told("token", "list", "ann", data=service.data)] == ["laptop"]


def test_the_last_use_is_shown(service: Service) -> None:
    used, unused = new_token(service.data, "used"), new_token(service.data, "unused")
    assert used != unused
    with calling(service, used) as ann:
        assert ann.ask("/d1/clients").status == 200
    deadline = time.monotonic() + PATIENCE
    while (tokens := {token["name"]: token for token in told("token", "list", "ann", data=service.data)})["used"][
        "last_used_at"
    ] is None:
        assert time.monotonic() < deadline
    assert tokens["used"]["last_used_at"] > tokens["used"]["created_at"]
    assert tokens["unused"]["last_used_at"] is None
    unused_line, used_line = done("token", "list", "ann", data=service.data).splitlines()[1:]
    assert unused_line.endswith("never")
    assert used_line.endswith(tokens["used"]["last_used_at"])


def test_many_commands_at_once_beside_a_service_that_writes(service: Service) -> None:
    batches = 0
    enough = threading.Event()

    def write() -> None:
        nonlocal batches
        with Api(service, "busy") as api:
            while not enough.is_set():
                answer = api.request("POST", "/clients/bulk", json=[{"name": f"n{number}"} for number in range(200)])
                assert answer.status_code == 200, answer.text
                batches += 1

    def all_at_once(*commands: tuple[str, ...]) -> list[str]:
        processes = [
            subprocess.Popen(
                [*PROGRAM, "operators", *command],
                env=environment(service.data),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for command in commands
        ]
        ended = [(process.communicate(timeout=PATIENCE), process.returncode) for process in processes]
        assert [(code, err) for (_, err), code in ended] == [(0, "")] * len(commands)
        return [out for (out, _), _ in ended]

    writer = threading.Thread(target=write)
    writer.start()
    try:
        all_at_once(*(("add", f"op{number}", "--domain", "d1=admin") for number in range(5)), ("list",))
        tokens = all_at_once(*(("token", "add", "ann", f"t{number}") for number in range(6)))
        with calling(service, tokens[0].strip()) as ann:
            for token in tokens:
                assert ann._replace(token=token.strip()).ask("/d1/clients").status == 200
        all_at_once(*(("remove", f"op{number}") for number in range(5)), ("token", "remove", "ann", "t0"))
    finally:
        enough.set()
        writer.join()
    assert batches
    assert rows(service.data, "SELECT count(*) FROM clients WHERE domain_id = 'busy'") == [(200 * batches,)]
    assert [one["id"] for one in told("list", data=service.data)] == ["ann"]


# Around one that does not.


def test_what_is_kept_while_the_service_is_stopped_holds_when_it_starts(data: Path) -> None:
    token = new_token(data, "phone")
    with started(data, {"MG_CLIENTS_STANDALONE_DOMAINS": "d1,d3"}) as service, calling(service, token) as ann:
        assert ann.ask("/d1/clients").status == 200
        assert ann.ask("/d2/clients").error == "domain_forbidden", "for nobody here, whatever they are in it"
        assert ann.ask("/d3/clients").error == "domain_forbidden"
        assert service.stop() == 0
    assert [token["last_used_at"] is None for token in told("token", "list", "ann", data=data)] == [True, False]
    done("token", "remove", "ann", "phone", data=data)
    with started(data) as service, calling(service, token) as ann:
        assert ann.ask("/d1/clients").status == 401


# Whoever leaves, leaves for good.


def fill(service: Service, ann: str, number: int) -> list[str]:
    """Clients that Ann has created, so that hers is the only membership in the only role of each."""
    with Api(service, "d1") as api:
        api.session.headers["Authorization"] = f"Bearer {ann}"
        answer = api.request("POST", "/clients/bulk", json=[{"name": f"n{n}"} for n in range(number)])
        assert answer.status_code == 200, answer.text
        return [client["id"] for client in answer.json()["clients"]]


def events(data: Path) -> list[Any]:
    found = rows(data, "SELECT client_id, stream, payload FROM outbox WHERE stream = 'client.roles'")
    told_of = [(client_id, stream, json.loads(payload)) for client_id, stream, payload in found]
    return [one for one in told_of if one[2]["operation"] == "client.role.members.remove"]


@pytest.mark.parametrize("stopped", [True, False], ids=["stopped", "running"])
def test_an_operator_leaves_2000_roles_in_one_transaction(hired: Path, tmp_path: Path, stopped: bool) -> None:
    data = shutil.copytree(hired, tmp_path / "data")
    with contextlib.ExitStack() as stack:
        service = stack.enter_context(started(data))
        clients = fill(service, new_token(data, "phone"), 2000)
        bystander = calling_bob(data, clients[0], service)
        if stopped:
            assert service.stop() == 0
        before, after = (1, 2, 2, 2000, 0), (0, 0, 0, 0, 2000)
        assert counts(data) == before
        over = threading.Event()
        seen: set[tuple[int, ...]] = set()

        def look() -> None:
            while not over.is_set():
                seen.add(counts(data))

        looking = threading.Thread(target=look)
        looking.start()
        try:
            assert done("remove", "ann", data=data) == "ann is removed, with 2000 role memberships\n"
        finally:
            over.set()
            looking.join()
        assert seen <= {before, after}
        assert counts(data) == after
    told_of = events(data)
    assert sorted(client_id for client_id, _, _ in told_of) == sorted(clients)
    assert {stream for _, stream, _ in told_of} == {"client.roles"}
    roles = dict(rows(data, "SELECT entity_id, id FROM clients_roles WHERE name = 'admin'"))
    for client_id, _, payload in told_of:
        assert payload["operation"] == "client.role.members.remove"
        assert (payload["entity_id"], payload["members"]) == (client_id, ["ann"])
        assert payload["role_id"] == roles[client_id]
    assert rows(data, "SELECT outbox_rows FROM store_state") == rows(data, "SELECT count(*) FROM outbox")
    assert rows(data, "SELECT count(*) FROM clients_role_members WHERE member_id = 'bob'") == [(1,)], bystander


def calling_bob(data: Path, client_id: str, service: Service) -> str:
    """Somebody else with a role on the same client."""
    with Api(service, "d1") as api:
        body = {"role_name": "technician", "optional_actions": ["read"], "optional_members": ["bob"]}
        answer = api.request("POST", f"/clients/{client_id}/roles", json=body)
        assert answer.status_code == 201, answer.text
    return "bob"


def test_the_last_who_could_manage_a_client_may_leave(service: Service) -> None:
    """What the API refuses; the standalone operator can manage it still."""
    (client_id,) = fill(service, new_token(service.data, "laptop"), 1)
    with Api(service, "d1") as api:
        ((role_id,),) = rows(service.data, "SELECT id FROM clients_roles WHERE entity_id = ?", (client_id,))
        members = f"/clients/{client_id}/roles/{role_id}/members"
        refused = api.request("POST", f"{members}/delete", json={"members": ["ann"]})
        assert error_of(refused) == (409, "last_managing_role")
        assert told("remove", "ann", data=service.data) == {"id": "ann", "roles": 1}
        assert api.request("GET", members).json()["members"] == []
        assert api.request("POST", members, json={"members": ["bob"]}).status_code == 200
        assert api.request("GET", members).json()["members"] == ["bob"]


def test_nothing_of_an_operator_goes_if_not_all_can(service: Service) -> None:
    """The last step of removing them fails."""
    with calling(service, new_token(service.data, "laptop")) as ann:
        fill(service, ann.token, 3)
        before = counts(service.data)
        with opened(service.data / "clients.db") as file:
            file.execute("CREATE TRIGGER no BEFORE INSERT ON outbox BEGIN SELECT RAISE(ABORT, 'no'); END")
            ended = operators("remove", "ann", data=service.data)
            file.execute("DROP TRIGGER no")
        assert (ended.code, ended.out) == (1, "")
        assert counts(service.data) == before
        assert ann.ask("/d1/clients").status == 200
        assert ended.line.startswith("edgeclients: ")


def test_a_database_that_somebody_else_is_changing(service: Service) -> None:
    with calling(service, new_token(service.data, "laptop")) as ann:
        fill(service, ann.token, 3)
        with write_locked(service.data):
            before = counts(service.data)
            ended = operators("remove", "ann", data=service.data)
            assert (ended.code, ended.out) == (1, "")
            assert counts(service.data) == before
    with calling(service, ann.token) as ann:
        assert ann.ask("/d1/clients").status == 200
        assert told("remove", "ann", data=service.data) == {"id": "ann", "roles": 3}
        assert ann.ask("/d1/clients").status == 401
    assert "busy" in ended.line


# What of a token is kept, and where it is not.


def test_a_token_is_nowhere_but_where_it_was_printed(service: Service) -> None:
    made = told("token", "add", "ann", "laptop", data=service.data)
    token = made["token"]
    with calling(service, token) as ann:
        assert ann.ask("/d1/clients", "POST", b"{}").status == 201
        assert ann.ask("/d2/clients", "POST", b"{}").status == 403
        assert ann.ask("/d1/none").status == 404
        listed = [
            operators(*command, "--output", output, data=service.data)
            for command in (("list",), ("token", "list", "ann"))
            for output in ("text", "json")
        ]
        secret = token.removeprefix("mgo_ann_")
        assert not any(secret in ended.out + ended.err for ended in listed)
        assert files(service.data) == dict.fromkeys(files(service.data), 0o600)
        assert {"clients.db", "clients.db-wal"} <= set(files(service.data))
        for path in filter(Path.is_file, service.data.iterdir()):
            content = path.read_bytes()
            for form in (secret.encode(), bytes.fromhex(secret), hashlib.sha256(token.encode()).digest()):
                assert form not in content, path
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):  # that process has ended
                assert secret.encode() not in path.read_bytes()
        done("token", "remove", "ann", "laptop", data=service.data)
        assert ann.ask("/d1/clients").status == 401
    assert service.lines
    assert secret not in json.dumps(service.lines)


def test_a_token_is_kept_as_a_hash_under_a_key_of_its_own(data: Path) -> None:
    token = new_token(data, "phone")
    key = hmac.digest((data / "pepper").read_bytes(), b"edgeclients K_auth", "sha256")
    ((digest,),) = rows(data, "SELECT digest FROM operator_tokens WHERE name = 'phone'")
    assert digest == hmac.digest(key, token.encode(), "sha256")


# As root, beside somebody else's service.


def test_root_acts_as_the_owner_beside_a_service_that_runs(elsewhere: Elsewhere) -> None:
    with elsewhere.started() as service:
        elsewhere.done("operators", "add", "ann", "--domain", "d1=admin")
        with calling(service, elsewhere.done("operators", "token", "add", "ann", "laptop")) as ann:
            assert ann.ask("/d1/clients", "POST", b"{}").status == 201
            elsewhere.assert_all_theirs()
            elsewhere.done("operators", "remove", "ann")
            assert ann.ask("/d1/clients").status == 401
        with Api(service, "d1") as api:
            api.create(name="still writable for the service")
        assert service.stop() == 0
    elsewhere.assert_all_theirs()


def test_root_acts_as_the_owner_beside_a_service_that_is_stopped(elsewhere: Elsewhere) -> None:
    with elsewhere.started():
        pass
    elsewhere.done("operators", "add", "ann", "--domain", "d1=admin")
    # As SQLite's own readers lock the file: whoever is the last to close it must leave its log behind.
    with (elsewhere.data / "clients.db").open("rb") as file:
        fcntl.lockf(file, fcntl.LOCK_SH, 510, 0x40000002)
        token = elsewhere.done("operators", "token", "add", "ann", "laptop")
    assert {"clients.db-wal", "clients.db-shm"} <= set(files(elsewhere.data))
    elsewhere.assert_all_theirs()
    with elsewhere.started() as service, calling(service, token) as ann:
        assert ann.ask("/d1/clients", "POST", b"{}").status == 201


def test_root_may_name_a_pepper_that_the_owner_cannot_read(elsewhere: Elsewhere) -> None:
    with elsewhere.started():
        pass
    elsewhere.done("operators", "add", "ann", "--domain", "d1=admin")
    pepper = elsewhere.data / "pepper"
    os.chown(pepper, 0, 0)
    ended = elsewhere.run("operators", "token", "add", "ann", "laptop")
    assert (ended.code, ended.out) == (1, "")
    assert f"{pepper} cannot be read" in ended.line, "it is not root who reads what is in the directory"
    token = elsewhere.done("operators", "token", "add", "ann", "laptop", env={"MG_CLIENTS_PEPPER_FILE": str(pepper)})
    os.chown(pepper, NOBODY, NOBODY)
    elsewhere.assert_all_theirs()
    with elsewhere.started() as service, calling(service, token) as ann:
        assert ann.ask("/d1/clients").status == 200


def test_root_may_have_a_credential_that_the_owner_cannot_read(elsewhere: Elsewhere, tmp_path: Path) -> None:
    with elsewhere.started():
        pass
    elsewhere.done("operators", "add", "ann", "--domain", "d1=admin")
    credentials = tmp_path / "credstore"
    credentials.mkdir(mode=0o700)
    pepper = elsewhere.data / "pepper"
    shutil.copy(pepper, credentials / "edgeclients.pepper")
    pepper.rename(elsewhere.data / "elsewhere")
    token = elsewhere.done("operators", "token", "add", "ann", "laptop", env={"CREDENTIALS_DIRECTORY": str(credentials)})
    (elsewhere.data / "elsewhere").rename(pepper)
    elsewhere.assert_all_theirs()
    with elsewhere.started() as service, calling(service, token) as ann:
        assert ann.ask("/d1/clients").status == 200


def test_root_is_told_of_a_place_that_the_owner_cannot_reach(elsewhere: Elsewhere) -> None:
    with elsewhere.started():
        pass
    elsewhere.data.parent.chmod(0o700)
    ended = elsewhere.run("operators", "list")
    assert (ended.code, ended.out) == (1, "")
    assert str(elsewhere.data) in ended.line
