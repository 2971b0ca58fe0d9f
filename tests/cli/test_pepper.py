"""The life of a pepper: where it comes from, and how another takes its place."""

import os
from pathlib import Path

from tests.conftest import authenticate
from tests.support.api import basic, of_domain
from tests.support.callers import calling
from tests.support.commands import refused
from tests.support.database import rows
from tests.support.service import started

CHEAP = {"MG_CLIENTS_ARGON2_MEMORY_KIB": "8", "MG_CLIENTS_ARGON2_PASSES": "1"}
CHOSEN = "chosen by a person"


def pepper(folder: Path, name: str) -> Path:
    """A pepper in a file."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(os.urandom(32))
    return folder / name


def test_a_pepper_from_a_file(tmp_path: Path) -> None:
    env = {"MG_CLIENTS_PEPPER_FILE": str(pepper(tmp_path, "own"))}
    with started(tmp_path / "data", env) as service, calling(service) as (api, stub):
        client = api.create(name="n")
        assert authenticate(stub, basic(client["id"], client["credentials"]["secret"])) == client["id"]
    assert not (tmp_path / "data" / "pepper").exists()
    assert "pepper" in refused(tmp_path / "data").line


def test_a_pepper_from_systemd(tmp_path: Path) -> None:
    env = {"CREDENTIALS_DIRECTORY": str(pepper(tmp_path / "credentials", "edgeclients.pepper").parent)}
    with started(tmp_path / "data", env) as service, calling(service) as (api, _):
        api.create(name="n")
    assert not (tmp_path / "data" / "pepper").exists()
    assert "pepper" in refused(tmp_path / "data").line
    with started(tmp_path / "data", env):
        pass


def test_one_pepper_takes_the_place_of_another(tmp_path: Path) -> None:
    """Secrets made with the old one work, are hashed anew when used, and then the old one can go."""
    old, new = pepper(tmp_path, "old"), pepper(tmp_path, "new")
    data = tmp_path / "data"
    with started(data, {**CHEAP, "MG_CLIENTS_PEPPER_FILE": str(old)}) as service, calling(service) as (api, _):
        made = api.create(name="made")
        chosen = api.create(name="chosen", credentials={"secret": CHOSEN})
        domain = api.domain
    hashes = {secret for (secret,) in rows(data, "SELECT secret FROM clients")}
    secrets = {made["id"]: made["credentials"]["secret"], chosen["id"]: CHOSEN}

    both = {**CHEAP, "MG_CLIENTS_PEPPER_FILE": f"{new},{old}"}
    with started(data, both) as service, calling(service) as (api, stub):
        for client_id, secret in secrets.items():
            assert authenticate(stub, basic(client_id, secret)) == client_id
            assert authenticate(stub, of_domain(domain, secret)) == client_id
        taken = api.session.post(f"/{domain}/clients", json={"credentials": {"secret": secrets[made["id"]]}})
        assert taken.status_code == 409
    # What was to be hashed anew has been when it ends.
    assert not hashes & {secret for (secret,) in rows(data, "SELECT secret FROM clients")}

    only = {**CHEAP, "MG_CLIENTS_PEPPER_FILE": str(new)}
    with started(data, only) as service, calling(service) as (_, stub):
        for client_id, secret in secrets.items():
            assert authenticate(stub, of_domain(domain, secret)) == client_id
    assert rows(data, "SELECT count(*) FROM peppers") == [(1,)]


def test_a_pepper_still_in_use_cannot_go(tmp_path: Path) -> None:
    old, new = pepper(tmp_path, "old"), pepper(tmp_path, "new")
    with started(tmp_path / "data", {"MG_CLIENTS_PEPPER_FILE": str(old)}) as service, calling(service) as (api, _):
        api.create(name="n")
    line = refused(tmp_path / "data", {"MG_CLIENTS_PEPPER_FILE": str(new)}).line
    assert "1 secrets need the pepper" in line
