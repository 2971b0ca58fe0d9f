"""Who imports and exports while that goes on: as long as they may, and nobody keeps others from it."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.http.test_import import CSV, JSONL, counts, imported
from tests.support.api import Api, error_of
from tests.support.commands import Ended, run
from tests.support.people import People, Town
from tests.support.raw import Raw
from tests.support.waiting import wait_until

ROWS = 500  # of a part


def rows(first: int, count: int = ROWS) -> bytes:
    return "".join(f"SN-{number}\n" for number in range(first, first + count)).encode()


def told_of(api: Api, body: Iterator[bytes], **query: Any) -> list[dict[str, Any]]:
    """What an import tells whose file arrives over time."""
    response = api.request("POST", "/clients/import", content=body, headers=CSV, params=query)
    assert response.status_code == 200, response.text
    return list(map(json.loads, response.text.splitlines()))


def total(api: Api) -> int:
    found: int = api.request("GET", "/clients", params={"limit": 1}).json()["total"]
    return found


def has_commands(town: Town) -> bool:
    """Whether commands work on the service's data: not where PostgreSQL has it."""
    return town.operator.service.env.get("MG_CLIENTS_MODE") != "cloud"


LOSSES: dict[str, tuple[Callable[[str, str], tuple[str, ...]], str]] = {
    "removed": (lambda user, _: ("remove", user), "unauthenticated"),
    "token removed": (lambda user, _: ("token", "remove", user, "t"), "unauthenticated"),
    "member only": (lambda user, domain: ("change", user, "--domain", f"{domain}=member"), "forbidden"),
    "nothing here": (lambda user, domain: ("change", user, "--without", domain), "domain_forbidden"),
}


class TestWhoMayNoLonger:
    @pytest.mark.parametrize("loss", LOSSES)
    def test_an_import_ends_at_the_next_part(self, people: People, town: Town, loss: str) -> None:
        caller = people.newcomer({town.domain: "admin"})
        command, code = LOSSES[loss]

        def body() -> Iterator[bytes]:
            yield b"external_id\n" + rows(0)
            wait_until(lambda: total(town.operator) == ROWS, "the first part")
            people.run(*command(caller.user, town.domain))
            yield rows(ROWS, 3 * ROWS)

        *made, last = told_of(caller, body())
        assert last["error"] == code
        assert last["message"]
        assert len(made) == total(town.operator) == ROWS
        assert imported(town.operator, "external_id\nlater\n")[1] == counts(created=1), "its place is free"

    @pytest.mark.parametrize("loss", LOSSES)
    def test_an_atomic_one_stores_nothing(self, people: People, town: Town, loss: str) -> None:
        caller = people.newcomer({town.domain: "admin"})
        command, code = LOSSES[loss]

        def body() -> Iterator[bytes]:
            yield b"external_id\nSN-1\nSN-1\n" + rows(2, ROWS)
            people.run(*command(caller.user, town.domain))
            yield rows(ROWS + 2, 10)

        response = caller.request("POST", "/clients/import", content=body(), headers=CSV, params={"atomic": "true"})
        assert json.loads(response.text.splitlines()[-1])["error"] == code
        assert total(town.operator) == 0


class TestWhatIsWrongFurtherOn:
    def test_the_answer_says_so_in_its_last_line(self, api: Api) -> None:
        logged = len(api.service.lines)
        broken = b'SN-x,"' + b"x" * 1_200_000

        def body() -> Iterator[bytes]:
            yield b"external_id,name\n" + b"".join(b"SN-%d,n\n" % number for number in range(3 * ROWS))
            wait_until(lambda: total(api) >= ROWS, "the first part")
            yield broken

        *made, last = told_of(api, body())
        assert last["error"] == "unusable_file"
        assert "line 1502 is longer than 1024 KiB: is a quote missing" in last["message"]
        assert len(made) == total(api)
        assert not [line for line in api.service.lines[logged:] if line.get("level") == "ERROR" or "Traceback" in str(line)]

    def test_before_the_answer_it_is_an_error_as_any_other(self, api: Api) -> None:
        response = api.request("POST", "/clients/import", content=b'external_id\n"' + b"x" * 1_200_000, headers=CSV)
        assert error_of(response) == (400, "unusable_file")


class TestPlaces:
    """Imports and exports that do not end, by which a few callers hold what others need."""

    @staticmethod
    def trickling(api: Api) -> Raw:
        """An import of which no more arrives."""
        token = api.session.headers["authorization"]
        head = f"POST /{api.domain}/clients/import HTTP/1.1\r\nHost: h\r\nAuthorization: {token}\r\n"
        raw = Raw(api.service).send(f"{head}Content-Type: text/csv\r\nContent-Length: 1000000\r\n\r\n".encode())
        raw.send(b"external_id\n" + b"the same\n" * ROWS)
        assert raw.socket.recv(12) == b"HTTP/1.1 200"
        return raw

    @staticmethod
    def tried(api: Api) -> tuple[int, str]:
        response = api.request("POST", "/clients/import", content="external_id\nx\n", headers=CSV)
        return (200, "") if response.status_code == 200 else error_of(response)

    @staticmethod
    def command(town: Town, *arguments: str) -> Ended:
        service = town.operator.service
        return run(*arguments, "--domain", town.domain, data=service.data, env=service.env)

    def test_a_caller_imports_one_file_at_a_time(self, town: Town) -> None:
        with self.trickling(town.admin) as raw:
            assert self.tried(town.admin) == (503, "busy")
            assert self.tried(town.operator) == (200, "")
            raw.close()
            wait_until(lambda: self.tried(town.admin) == (200, ""), "its place")

    def test_callers_do_not_keep_the_machine_from_its_data(self, town: Town, people: People, tmp_path: Any) -> None:
        other = people.newcomer({town.domain: "admin"})
        file = tmp_path / "t.csv"
        file.write_text("external_id,secret\nSN-1,chosen by somebody\n")
        with ExitStack() as stack:
            for caller in (town.admin, other):
                stack.enter_context(self.trickling(caller))
            assert self.tried(town.operator) == (503, "busy")
            if has_commands(town):
                ended = self.command(town, "import", str(file))
                assert (ended.code, ended.out) == (0, "created 1, updated 0, unchanged 0, failed 0\n"), ended

    def test_exports_that_nobody_reads(self, town: Town) -> None:
        large = "x" * 60_000
        content = "\n".join(json.dumps({"external_id": f"SN-{number}", "metadata": {"a": large}}) for number in range(500))
        assert imported(town.operator, content, JSONL)[1] == counts(created=500)

        def exports(api: Api) -> tuple[int, str]:
            with api.session.stream("GET", f"/{api.domain}/clients/export") as response:
                if response.status_code == 200:
                    return 200, ""
                response.read()
                return error_of(response)

        with Raw(town.admin.service, receive_buffer=4096) as raw:
            token = town.admin.session.headers["authorization"]
            raw.send(f"GET /{town.domain}/clients/export HTTP/1.1\r\nHost: h\r\nAuthorization: {token}\r\n\r\n".encode())
            wait_until(lambda: exports(town.admin) == (503, "busy"), "its export")
            assert exports(town.operator) == (200, "")
            if has_commands(town):
                assert self.command(town, "export").out.count("\n") == 501
