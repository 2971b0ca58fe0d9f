"""`edgeclients audit`: who changed what, on the data directory and at a service's address."""

import contextlib
import csv
import getpass
import hashlib
import io
import json
import os
import pty
import re
import sqlite3
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import pytest

from edgeclients._pb.clients.v1 import clients_pb2, clients_pb2_grpc
from edgeclients._pb.common.v1 import common_pb2
from tests.support.api import Api, basic
from tests.support.commands import Ended, run
from tests.support.on_postgres import Cloud
from tests.support.program import PROGRAM
from tests.support.service import Service, environment, started
from tests.support.waiting import PATIENCE

ME = f"cli:{getpass.getuser()}"


class Place(NamedTuple):
    """Where commands work, and the service, if it runs."""

    data: Path
    service: Service | None

    def __call__(self, *arguments: str) -> Ended:
        return run(*arguments, data=self.data)

    def audit(self, *arguments: str) -> list[dict[str, Any]]:
        ended = self("audit", *arguments, "--output", "json")
        assert (ended.code, ended.err) == (0, ""), ended
        entries: list[dict[str, Any]] = json.loads(ended.out)
        return entries


@pytest.fixture(params=["running", "stopped"])
def at(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with started(tmp_path / "data") as service:
        if request.param == "running":
            yield Place(service.data, service)
            return
    yield Place(service.data, None)


def created(at: Place, name: str, domain: str = "plant") -> str:
    ended = at("clients", "create", name, "--domain", domain, "--output", "json")
    assert ended.code == 0, ended
    client_id: str = json.loads(ended.out)["id"]
    return client_id


def test_commands_are_told_under_the_systems_user(at: Place) -> None:
    client_id = created(at, "boiler")
    for arguments in (("update", "--name", "pump"), ("disable",), ("delete",)):
        assert at("clients", arguments[0], client_id, "--domain", "plant", *arguments[1:]).code == 0
    entries = at.audit("--client", client_id)
    assert [entry["operation"] for entry in entries] == ["client.remove", "client.disable", "client.update", "client.create"]
    for entry in entries:
        assert entry["domain"] == "plant"
        assert (entry["attributes"]["user_id"], entry["attributes"]["from"]) == (ME, "local")
    assert entries[2]["attributes"]["before"] == {"name": "boiler"}
    assert entries[2]["attributes"]["after"] == {"name": "pump"}


def test_operators_are_told(at: Place) -> None:
    for arguments in (
        ("add", "ann", "--domain", "plant=member"),
        ("change", "ann", "--name", "Ann", "--domain", "plant=admin"),
        ("token", "add", "ann", "laptop", "--expires-in", "1h"),
        ("token", "remove", "ann", "laptop"),
        ("remove", "ann"),
    ):
        assert at("operators", *arguments).code == 0
    assert at("operators", "remove", "ann").code == 1
    entries = at.audit()
    assert [entry["operation"].removeprefix("operator.") for entry in entries] == [
        *("remove", "remove_token", "add_token", "change", "add")
    ]
    assert {entry["attributes"]["operator_id"] for entry in entries} == {"ann"}
    assert {(entry["attributes"]["user_id"], entry["attributes"]["from"]) for entry in entries} == {(ME, "local")}
    assert entries[2]["attributes"]["token_name"] == "laptop"
    assert entries[2]["attributes"]["lifetime_seconds"] == 3600
    changed = entries[3]["attributes"]
    assert changed["before"] == {"name": "ann", "domains": {"plant": "member"}}
    assert changed["after"] == {"name": "Ann", "domains": {"plant": "admin"}}
    assert "mgo_" not in json.dumps(entries)
    assert at.audit("--domain", "plant") == [], "operators belong to no domain"


@pytest.mark.parametrize("count", [1, 3])
def test_roles_that_a_removed_operator_has_left_are_told_in_their_domains(tmp_path: Path, count: int) -> None:
    with started(tmp_path / "data") as service, Api(service, "plant") as api, Api(service, "other") as other:
        at = Place(service.data, service)
        domains = [f"--domain={name}=member" for name in ("plant", "other")]
        assert at("operators", "add", "ann", *domains).code == 0
        ids = [api.create()["id"] for _ in range(count)]
        roles = [api.give_role(client_id, "theirs", ["read"], ["ann"])["id"] for client_id in ids]
        foreign = other.create()["id"]
        other.give_role(foreign, "theirs", ["read"], ["ann"])
        assert at("operators", "remove", "ann").code == 0
        entries = at.audit("--domain", "plant", "--operation", "client.role.members.remove")
        assert sorted(entry["attributes"].get("id", "") for entry in entries) == sorted([*ids, *[""] * (count > 1)])
        assert {entry["attributes"]["user_id"] for entry in entries} == {ME}
        (whole,) = (entry["attributes"] for entry in entries if "before" in entry["attributes"])
        assert (whole["before"], whole["from"]) == ({"members": ["ann"]}, "local")
        assert whole.get("client_ids", ids) == sorted(ids)
        assert whole.get("role_id", roles[0]) == roles[0]
        for client_id in (*ids, foreign):
            assert at.audit("--client", client_id)[0]["operation"] == "client.role.members.remove"


def test_what_was_never_there_leaves_nothing_in_the_database(tmp_path: Path) -> None:
    with started(tmp_path / "data") as service, grpc.insecure_channel(service.grpc) as channel:
        stub = clients_pb2_grpc.ClientsServiceStub(channel)  # type: ignore[no-untyped-call]
        names = [str(uuid.uuid4()) for _ in range(4)]
        one = common_pb2.Connection(channel_id=names[0], domain_id=names[1], client_id=names[2], type=1)
        stub.RemoveConnections(common_pb2.RemoveConnectionsReq(connections=[one]))
        stub.RemoveChannelConnections(clients_pb2.RemoveChannelConnectionsReq(channel_id=names[3]))
        with contextlib.closing(sqlite3.connect(service.data / "clients.db")) as database:
            assert not {name for (name,) in database.execute("SELECT name FROM names")} & {*names}


def test_of_many_domains_an_operator_has_the_first_are_told(at: Place) -> None:
    domains = [f"--domain=plant-{number}=admin" for number in range(1000)]
    assert at("operators", "add", "ann", *domains).code == 0
    (entry,) = at.audit()
    told = entry["attributes"]["after"]["domains"]
    assert told["plant-0"] == "admin"
    assert told["…"] == f"{1000 - len(told) + 1} more"
    assert len(json.dumps(entry["attributes"], ensure_ascii=False).encode()) < 4096


def test_an_import_is_told(at: Place, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("external_id,name\nSN-1,a\nSN-2,b\n")
    for arguments in (("--secrets-out", str(tmp_path / "s")), ()):
        assert at("import", str(file), "--domain", "plant", *arguments).code == 0
    entries = at.audit("--domain", "plant")
    assert [entry["operation"] for entry in entries] == ["client.create", "client.create", "client.import"]
    assert {entry["attributes"]["user_id"] for entry in entries} == {ME}
    whole = entries[-1]["attributes"]
    assert (whole["from"], whole["created"], whole["failed"]) == ("local", 2, 0)
    assert whole["source"] == hashlib.sha256(file.read_bytes()).hexdigest()


def test_domains_and_filters(at: Place) -> None:
    here, there = created(at, "a"), created(at, "b", "other")
    assert {entry["attributes"]["id"] for entry in at.audit()} == {here, there}
    assert [entry["attributes"]["id"] for entry in at.audit("--domain", "other")] == [there]
    assert [entry["attributes"]["id"] for entry in at.audit("--client", here)] == [here]
    assert at.audit("--client", here, "--domain", "other") == []
    assert at.audit("--operation", "client.update") == []
    assert len(at.audit("--operation", "client.create", "--limit", "1")) == 1
    for since, count in (("1h", 2), ("2026-01-01", 2), ("2026-01-01T09:30", 2), ("2036-01-01T00:00:00+01:00", 0)):
        assert len(at.audit("--since", since)) == count


def test_a_domain_may_have_any_name(at: Place) -> None:
    ids = {domain: created(at, "a", domain) for domain in ("-", "plant")}
    assert [entry["attributes"]["id"] for entry in at.audit("--domain", "-")] == [ids["-"]]
    assert len(at.audit()) == 2
    env = {"EDGECLIENTS_DOMAIN": "plant"}
    ended = run("audit", "--output", "jsonl", data=at.data, env=env)
    assert json.loads(ended.out)["attributes"]["id"] == ids["plant"]


def test_every_form(at: Place) -> None:
    client_id = created(at, "=boiler")
    (entry,) = at.audit()
    assert json.loads(at("audit", "--output", "jsonl").out) == entry
    (row,) = csv.DictReader(io.StringIO(at("audit", "--output", "csv").out))
    assert (row["operation"], row["client"], row["user"], row["from"]) == ("client.create", client_id, ME, "local")
    assert json.loads(row["changes"]) == {"after": {"name": "=boiler", "status": "enabled"}}
    head, line = at("audit").out.splitlines()
    assert head.split() == ["OCCURRED", "AT", "OPERATION", "DOMAIN", "CLIENT", "USER", "FROM", "CHANGES"]
    assert client_id in line


@pytest.mark.parametrize("output", ["table", "csv", "json", "jsonl"])
def test_a_terminal_obeys_nothing_and_a_file_is_exact(at: Place, output: str) -> None:
    name = "a\x9b31m\u202eb\U000e0001"
    created(at, name)
    on_terminal, in_file = shown_on_terminal("audit", "--output", output, data=at.data), at("audit", "--output", output).out
    assert on_terminal.isprintable()
    if output.startswith("json"):
        assert json.loads(on_terminal) == json.loads(in_file)
    if output != "table":
        assert "\x9b31m\u202eb\U000e0001" in in_file


def shown_on_terminal(*arguments: str, data: Path) -> str:
    """What a command shows on a terminal, without the ends of lines."""
    ours, its = pty.openpty()
    try:
        with subprocess.Popen([*PROGRAM, *arguments], env=environment(data, {}), stdin=its, stdout=its) as process:
            os.close(its)
            shown = b""
            with contextlib.suppress(OSError):  # EIO: it has ended
                while part := os.read(ours, 65536):
                    shown += part
            assert process.wait(PATIENCE) == 0
    finally:
        os.close(ours)
    return shown.decode().replace("\r\n", "")


@pytest.mark.parametrize("output", ["table", "csv", "json", "jsonl"])
def test_pages_are_shown_as_they_come(tmp_path: Path, output: str) -> None:
    """So a full journal needs no more memory than a page. Here the service ends while most pages are still to come."""
    with started(tmp_path / "data") as service, Api(service, "plant") as api:
        assert api.request("POST", "/clients/bulk", json=[{} for _ in range(5000)]).is_success
        command = [*PROGRAM, "audit", "--output", output]
        with subprocess.Popen(
            command, env=environment(service.data, {}), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert process.stdout
            assert process.stderr
            begun = process.stdout.read(1000)  # a pipe holds 64 KiB, so the command waits
            service.kill()
            rest, reason = process.stdout.read(), process.stderr.read().decode()
        assert process.returncode == 1
        assert reason.count("\n") == 1
        assert "gone away" in reason
        assert len(begun + rest) > 10_000


@pytest.mark.parametrize("count", [0, 98, 99, 100, 230])
def test_every_form_has_any_number_of_entries(tmp_path: Path, count: int) -> None:
    with started(tmp_path / "data") as service, Api(service, "plant") as api:
        if count:
            assert api.request("POST", "/clients/bulk", json=[{"name": f"n{number}"} for number in range(count)]).is_success
    at, total = Place(service.data, None), count + (count > 1)
    entries = at.audit()
    assert len(entries) == total
    assert [json.loads(line) for line in at("audit", "--output", "jsonl").out.splitlines() if line] == entries
    rows = list(csv.DictReader(io.StringIO(at("audit", "--output", "csv").out)))
    assert [row["client"] for row in rows] == [entry["attributes"].get("id", "") for entry in entries]
    head, *lines = at("audit").out.splitlines()
    assert (head.split()[-1], len(lines)) == ("CHANGES", total)


def test_more_than_a_page(tmp_path: Path) -> None:
    with started(tmp_path / "data") as service, Api(service, "plant") as api:
        assert api.request("POST", "/clients/bulk", json=[{"name": f"n{number}"} for number in range(230)]).is_success
        at = Place(service.data, service)
        found = at.audit()
        ids = [entry["attributes"].get("id", "") for entry in found]
        assert len(ids) == len(set(ids)) == 231
        assert at.audit("--limit", "150") == found[:150]


def test_at_an_address_with_a_token(tmp_path: Path) -> None:
    """An admin sees her domain, a member nothing, and only a super admin everything."""
    with started(tmp_path / "data") as service, Api(service, "plant") as api, Api(service, "other") as other:
        client_id = api.create()["id"]
        other.create()
        tokens = {"operator": service.data / "operator.token"}
        for name in ("admin", "member"):
            assert run("operators", "add", name, "--domain", f"plant={name}", data=service.data).code == 0
            tokens[name] = tmp_path / name
            tokens[name].write_text(run("operators", "token", "add", name, "t", data=service.data).out)

        def asked(name: str, *arguments: str) -> Ended:
            where = ("--url", service.http, "--token-file", str(tokens[name]))
            return run("audit", *where, *arguments, "--output", "jsonl", data=tmp_path / "none")

        (entry,) = asked("admin", "--domain", "plant").out.splitlines()
        assert json.loads(entry)["attributes"]["id"] == client_id
        assert len(asked("operator").out.splitlines()) == 6, "with the operators and their tokens"
        for name, arguments in (("admin", ()), ("member", ("--domain", "plant")), ("admin", ("--domain", "other"))):
            ended = asked(name, *arguments)
            assert (ended.code, ended.out) == (1, "")
            assert re.fullmatch(r"edgeclients: [a-z ]+", ended.line)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--since", "yesterday"), "'yesterday' is not a time"),
        (("--since", "2026-13-01"), "is not a time"),
        (("--since", "2040-01-01"), "'2040-01-01' is too late"),
        (("--client", "boiler"), "'boiler' is not the id of a client"),
        (("--limit", "0"), "'0' is not a number of 1 or more"),
        (("--output", "xml"), "invalid choice"),
    ],
)
def test_wrong_use(tmp_path: Path, arguments: tuple[str, ...], text: str) -> None:
    ended = run("audit", *arguments, data=tmp_path)
    assert ended.code == 2
    assert text in ended.err


def test_without_data(tmp_path: Path) -> None:
    ended = run("audit", data=tmp_path / "none")
    assert ended.code == 1
    assert "start the service once" in ended.line


def test_a_move_and_back_keeps_it(tmp_path: Path, cloud: Cloud) -> None:
    """Denied logins as well; and new entries follow the old ones."""
    with started(tmp_path / "data") as service, Api(service, "plant") as api:
        client_id = api.create()["id"]
        assert api.request("POST", "/clients/bulk", json=[{}, {}]).is_success
        api.request("DELETE", f"/clients/{client_id}")
        _deny(service, api.create()["id"])
        before = Place(service.data, service).audit()
    assert {entry["operation"] for entry in before} == {"client.create", "client.remove", "client.denied"}
    url, env = f"postgres://{cloud.server.user}@/{cloud.name}", {**cloud.server.settings(cloud.name)}
    pepper = tmp_path / "moved"
    assert run("move", "--to", url, "--pepper", str(pepper), data=service.data, env=env).code == 0
    back = tmp_path / "back"
    back.mkdir(mode=0o700)
    env["MG_CLIENTS_PEPPER_FILE"] = str(pepper)
    moved = run("move", "--from", url, "--pepper", str(back / "pepper"), data=back, env=env)
    assert moved.code == 0, moved
    with started(back) as again, Api(again, "plant") as api:
        at = Place(back, again)
        assert at.audit() == before
        new = api.create()["id"]
        assert [entry["attributes"]["id"] for entry in at.audit("--limit", "1")] == [new]


def _deny(service: Service, client_id: str) -> None:
    with grpc.insecure_channel(service.grpc) as channel:
        stub = clients_pb2_grpc.ClientsServiceStub(channel)  # type: ignore[no-untyped-call]
        with pytest.raises(grpc.RpcError):
            stub.Authenticate(clients_pb2.AuthnReq(token=basic(client_id, str(uuid.uuid4()))))


def test_a_kill_loses_no_entry_of_a_change_that_was_answered(tmp_path: Path) -> None:
    with started(tmp_path / "data") as service, Api(service, "plant") as api:
        ids = [api.create()["id"] for _ in range(20)]
        service.kill()
    with started(service.data) as again:
        told = [entry["attributes"]["id"] for entry in Place(service.data, again).audit()]
    assert told == ids[::-1]
