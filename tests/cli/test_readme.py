"""Every command of the README that needs no root, as a newcomer runs them: in a copy of the sources, installed with pip."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.labels import texts
from tests.support.newcomer import Newcomer, outside, serving, sources
from tests.support.pages import ROOT, for_anyone

pytestmark = pytest.mark.source_only("it installs or builds the sources")

INSTALL, *USE, TEST = for_anyone("README.md")


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newcomer]:
    """A folder with the sources, in which the README's first command has been run and serves."""
    folder = sources(tmp_path_factory.mktemp("newcomer") / "edgeclients")
    with serving(Newcomer(folder, outside()), INSTALL.text) as found:
        yield found


def test_every_command_works_as_printed(newcomer: Newcomer) -> None:
    printed = newcomer.run(*USE)
    for expected in (
        '"name":"boiler","tags":["floor-1"],"domain_id":"plant-7"',
        "labels.pdf: 1 label on 1 page\n",
        '"total":1,"clients":[{',
        '"name":"boiler 2"',
        '"status":"disabled"',
    ):
        assert expected in printed, expected
    _, created, authenticated = printed.partition('"status":"enabled"}\n')
    assert created
    client = authenticated.splitlines()[0]
    assert f'"id":"{client}"' in printed, "the id of the client"
    (text,) = texts(newcomer.folder / "labels.pdf")
    code = json.loads(text)
    assert (code["id"], code["domain_id"]) == (client, "plant-7")
    assert f'"secret":"{code["secret"]}"' in printed


def test_an_installed_program_has_what_it_needs_inside(newcomer: Newcomer) -> None:
    """The wheel carries schema, licence and the marker of types: nothing is read from the sources it was built from."""
    program = "from edgeclients.files import schema_path; print(schema_path('sqlite'))"
    python = newcomer.folder / ".venv" / "bin" / "python"
    done = subprocess.run([python, "-c", program], cwd="/", capture_output=True, text=True, check=True)
    assert "site-packages/edgeclients/schema" in done.stdout
    schema = Path(done.stdout.strip())
    assert list(schema.glob("*.sql"))
    site = schema.parents[2]
    assert (site / "edgeclients" / "py.typed").is_file()
    assert list(site.glob("edgeclients-*.dist-info/licenses/packaging/LICENSE"))


def test_what_starts_and_what_tests_is_one_command_each() -> None:
    assert INSTALL.serves
    assert [len(block.text.splitlines()) for block in (INSTALL, TEST)] == [1, 1]


def test_the_test_command_is_what_ci_runs() -> None:
    """To its end, with other checks beside the last part; by the task of that name, which runs it in the same environment."""
    run = (ROOT / ".ci" / "run").read_text()
    install, _, test = TEST.text.strip().rpartition(" && ")
    before, called, _ = run.partition("\n.venv/bin/just test ")
    assert called
    assert install in before.splitlines()
    assert test == ".venv/bin/pytest"
    tasks = (ROOT / ".justfile").read_text()
    assert '\ntest *arguments:\n    pytest "$@"\n' in tasks
    assert '\nexport PATH := justfile_directory() / ".venv/bin" + ":" + env("PATH")\n' in tasks
