"""An authenticator of somebody else's: that of the page on extensions, built into a wheel, installed and used."""

import hashlib
import json
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.api import Api, error_of
from tests.support.commands import ready_to_run, refused
from tests.support.pages import in_language
from tests.support.program import EXECUTABLE, LIBRARIES, PROGRAM, copied
from tests.support.service import Service, started

PAGE = "packaging/operations/extensions.md"
(SOURCE,) = in_language(PAGE, "python")
(DECLARED,) = in_language(PAGE, "toml")
PEOPLE = {"chief's badge": ("chief", ["plant-7"]), "ann's badge": ("ann", ["plant-7", "plant-8"])}


def wheel_of(folder: Path, source: str) -> Path:
    """A wheel with this module, as a build makes it of the page's pyproject.toml."""
    ((group, entries),) = tomllib.loads(DECLARED)["project"]["entry-points"].items()
    ((name, target),) = entries.items()
    module = target.partition(":")[0]
    files = {
        f"{module}.py": source,
        f"{module}-1.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {module}\nVersion: 1\n",
        f"{module}-1.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{module}-1.dist-info/entry_points.txt": f"[{group}]\n{name} = {target}\n",
        f"{module}-1.dist-info/RECORD": "",
    }
    wheel = folder / f"{module}-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return wheel


class Installed(NamedTuple):
    """A module that was installed: what a program is told that has it, and what starts it."""

    env: dict[str, str]
    command: Sequence[str]


def install(folder: Path, source: str) -> Installed:
    """The module, installed: in a folder that the path names, or in a copy of the bundle."""
    program, site = PROGRAM, folder / "site"
    if EXECUTABLE:
        executable = copied(folder / "bundle")
        program, site = (str(executable),), executable.parent / LIBRARIES
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", f"--target={site}"]
    subprocess.run([*pip, str(wheel_of(folder, source))], check=True)
    return Installed({"PYTHONPATH": str(site), "MG_CLIENTS_AUTH_PLUGIN": "badges"}, (*program, "serve"))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with the page's plugin."""
    folder = tmp_path_factory.mktemp("plugin")
    data = folder / "data"
    data.mkdir(mode=0o700)
    people = {
        hashlib.sha256(badge.encode()).hexdigest(): {"name": name, "domains": domains}
        for badge, (name, domains) in PEOPLE.items()
    }
    (data / "badges.json").write_text(json.dumps(people))
    with started(data, *install(folder, SOURCE)) as running:
        yield running


@pytest.mark.source_only("it looks into a file of the sources")
def test_it_is_short() -> None:
    assert len(SOURCE.splitlines()) < 30


def test_it_says_who_may_call_and_what(service: Service) -> None:
    with (
        Api(service, "plant-7", "chief's badge", "chief") as chief,
        Api(service, "plant-7", "ann's badge", "ann") as ann,
        Api(service, "plant-7", "nobody's badge") as nobody,
    ):
        client = chief.create(name="boiler")["id"]
        assert error_of(ann.request("GET", f"/clients/{client}")) == (403, "forbidden")
        assert error_of(ann.request("POST", "/clients", json={})) == (403, "forbidden")
        chief.give_role(client, "reader", ["read"], ["ann"])
        assert ann.listed() == [client]
        assert error_of(nobody.request("GET", "/clients")) == (401, "unauthenticated")
        assert error_of(chief.within("plant-8").request("GET", "/clients")) == (403, "domain_forbidden")
        assert ann.within("plant-8").listed() == []
        group = "6e0b5c1d-4f5a-4a53-8a0e-0c1b2d3e4f50"
        assert chief.request("POST", f"/clients/{client}/parent", json={"parent_group_id": group}).status_code == 200


def test_what_it_opened_is_closed_with_the_service(tmp_path: Path) -> None:
    closing = """
    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        (self.data / "closed").touch()
"""
    source = SOURCE.rstrip() + "\n" + closing
    source = source.replace("self.people = json", "self.data = settings.data_dir\n        self.people = json")
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    (data / "badges.json").write_text("{}")
    with started(data, *install(tmp_path, source)) as running:
        assert not (data / "closed").exists()
        assert running.stop() == 0
    assert (data / "closed").exists()


def test_a_name_that_nobody_has_is_told_with_those_there_are(tmp_path: Path) -> None:
    with ready_to_run():
        line = refused(tmp_path / "data", {"MG_CLIENTS_AUTH_PLUGIN": "badgers"}).line
    assert "badgers" in line
    assert "magistrala, standalone" in line
