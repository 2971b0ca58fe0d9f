"""Every command of every other page that needs no root, in the page's order: whatever is added to a page is run here.

The reader has a copy of the sources, and a service that serves `./data` there. Each page has a copy of its own.
"""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

from tests.support.database import rows
from tests.support.newcomer import Newcomer, environment_in, outside, programs, serving, sources
from tests.support.on_postgres import Cloud
from tests.support.pages import for_anyone, pages
from tests.support.postgres import Server

pytestmark = pytest.mark.source_only("it installs or builds the sources")

README: Final = "README.md"  # test_readme.py runs it
MOVE: Final = "packaging/operations/cloud.md"  # its service is stopped, and it needs a database
PAGES: Final = tuple(page for page in pages() if for_anyone(page) and page != README)
SERVE: Final = "edgeclients serve"
INVENTED: Final = "postgres://edgeclients@db.example/clients"

# What a page's commands find set: tests are only collected.
SET: Final[Mapping[str, Mapping[str, str]]] = {
    "tests/README.md": {"PYTEST_ADDOPTS": "--collect-only --quiet -p no:cacheprovider"}
}

# What they must print. A command that fails needs no entry here.
PRINTED: Final[Mapping[str, tuple[str, ...]]] = {
    "packaging/operations/backup.md": (
        "backup.tar.gz: 1 client, ",
        "restored-too is restored: 1 client, as of 2",
        "ok       pepper",
    ),
    "packaging/operations/certificates.md": ("tls/server.pem: OK\ntls/broker.pem: OK\n",),
    "packaging/operations/clock.md": ('"clock":{"status":"ok","difference_seconds":0}', "clients_clock_difference_seconds 0.0"),
    "packaging/operations/disk-full.md": ('"writable":true', "clients_store_writable 1.0", "data/clients.db\n"),
    "packaging/operations/install.md": ("healthy\n", '"status":"ready"'),
    "packaging/operations/audit.md": ('{"before":{"name":"boiler"},"after":{"name":"boiler 1"}}', '"attributes":{"id":'),
    "packaging/operations/labels.md": ("labels.pdf: 2 labels on 1 page\n", "labels.png to labels-2.png: 2 labels on 2 pages\n"),
    "packaging/operations/events.md": ("last sent:    nothing yet",),
    "packaging/operations/observe.md": ('"status":"pass"', '"status":"ready"', "clients_store_writable 1.0"),
    "packaging/operations/pepper.md": ("pepper    since                secrets  tokens\n",),
    "packaging/operations/provisioning.md": (
        "created 2, updated 0, unchanged 0, failed 0",
        "created 0, updated 0, unchanged 2, failed 0",
        '{"created":0,"updated":1,"unchanged":1,"failed":0}',
        "id,name,external_id,identity,tags",
    ),
    "packaging/operations/upgrade.md": ("Successfully installed edgeclients-", '"status":"ready"'),
    "packaging/operations/users.md": (
        "bob    bob            plant-7=member",
        '"role_name":"technician","actions":["update","read"],"access_type":"direct"',
        "bob is removed, with 1 role memberships",
    ),
    "proto/README.md": ("authenticated: true",),
    "tests/README.md": ("tests/http/test_list.py", "tests/conformance/test_sqlite.py"),
}


def in_environment(page: str) -> bool:
    """Whether the page's reader works in the virtual environment of the sources."""
    return any(".venv/" in block.text for block in for_anyone(page))


OF_THE_SOURCES: Final = (pytest.mark.source_only("it installs or changes the sources"),)
OTHERS: Final = [
    pytest.param(page, page, id=page, marks=OF_THE_SOURCES if in_environment(page) else ()) for page in PAGES if page != MOVE
]


@pytest.fixture
def reader(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Newcomer]:
    """Somebody who reads a page beside a service that has one client."""
    folder = sources(tmp_path / "edgeclients")
    if in_environment(getattr(request, "param", MOVE)):
        environment_in(folder / ".venv")
    with serving(Newcomer(folder, outside(PATH=programs(tmp_path / "bin"))), SERVE) as found:
        yield found


def create(reader: Newcomer) -> None:
    """The client that is there when the page begins."""
    reader.type('curl -sSf localhost:9006/d/clients -H "Authorization: Bearer $(cat data/operator.token)" --json "{}"')


@pytest.mark.parametrize(("reader", "page"), OTHERS, indirect=["reader"])
def test_every_command_works_as_printed(reader: Newcomer, page: str) -> None:
    create(reader)
    printed = reader.run(*for_anyone(page), env=SET.get(page, {}))
    for expected in PRINTED.get(page, ()):
        assert expected in printed, f"{expected!r} is not in:\n{printed}"


def test_moving_to_the_cloud_and_back_works_as_printed(reader: Newcomer, postgres: Server, cloud: Cloud) -> None:
    create(reader)
    reader.stop()
    ours = f"postgres://{postgres.user}@{postgres.host}:{postgres.port}/{cloud.name}"
    password = {"MG_CLIENTS_DB_PASS": postgres.password}
    assert reader.run(*for_anyone(MOVE), env=password, places={INVENTED: ours}).count("Every row was compared.") == 2
    gateway, data = reader.folder / "gateway", reader.folder / "data"
    assert (gateway / "pepper").read_bytes() == (data / "pepper").read_bytes()
    assert rows(gateway, "SELECT * FROM clients") == rows(data, "SELECT * FROM clients") != []


def test_a_backup_made_as_printed_is_complete(reader: Newcomer) -> None:
    """Put in place of the data directory, it serves, and nothing is reported as missing."""
    page = "packaging/operations/backup.md"
    create(reader)
    reader.run(*for_anyone(page))
    reader.stop()
    shutil.rmtree(reader.folder / "data")
    (reader.folder / "restored").rename(reader.folder / "data")
    reader.serve(SERVE)
    ready = reader.type("curl -sSf localhost:9006/ready")
    assert '"status":"ready"' in ready
    assert "incomplete" not in ready
    assert '"total":1' in reader.type(
        'curl -sSf localhost:9006/d/clients -H "Authorization: Bearer $(cat data/operator.token)"'
    )
