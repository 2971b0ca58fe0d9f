"""The pages on operations, typed by root in a machine that boots: from the package's installation to its end."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeclients import __version__
from tests.ship.pages import each_root_block, every_block, first_steps, root_blocks
from tests.support import nspawn
from tests.support.nspawn import ROOT, Machine
from tests.support.pages import script

sys.path.insert(0, str(ROOT / "packaging"))

from builder.root import debian_root

BUNDLE = f"edgeclients-{__version__}-linux-amd64"
PACKAGE = f"edgeclients_{__version__}_amd64.deb"
NEEDED = ("curl", "openssl", "sqlite3")  # by the commands of the pages
# Of this client nobody would use the secret again, so the old pepper would be needed for ever.
DELETE = 'curl -sSf -X DELETE "$API/clients/$ID" -H "Authorization: Bearer $TOKEN"\n'
KEEPING = ("restored", "space_freed", "pepper_rotated", "pepper_gone", "package_upgraded", "bundle_upgraded")

pytestmark = pytest.mark.timeout(3600)  # a machine that hangs is ended before


@pytest.fixture
def machine(artefacts: Path, tmp_path: Path) -> Iterator[Machine]:
    """A machine with what the pages need, and a folder with the bundle and the package."""
    shared = tmp_path / "shared"
    folder = shared / "sources"
    folder.mkdir(parents=True)
    shutil.copy(artefacts / f"{BUNDLE}.tar.xz", folder)
    if (artefacts / PACKAGE).exists():
        shutil.copy(artefacts / PACKAGE, folder)
    else:
        bundle = artefacts / f"{BUNDLE}.tar.xz"
        subprocess.run([ROOT / "packaging" / "package", "--bundle", bundle, "--output", folder], check=True)
    with debian_root(include=nspawn.INCLUDE) as root:
        root.run(["apt-get", "update"])
        root.run(["apt-get", "install", "--yes", "--no-install-recommends", *NEEDED])
        yield Machine(nspawn.program(tmp_path), root.path, shared)


def test_an_administrator_types_every_command(machine: Machine) -> None:
    remove, purge = (script([block]) for block in each_root_block("packaging/operations/install.md", "Debian package"))
    typed = {
        "quick start": root_blocks("README.md", "With the Debian package") + first_steps() + DELETE,
        "backup": root_blocks("packaging/operations/backup.md"),
        "disk full": root_blocks("packaging/operations/disk-full.md"),
        "rotate": root_blocks("packaging/operations/pepper.md", "Rotate"),
        "finish": root_blocks("packaging/operations/pepper.md", "Finish"),
        "upgrade package": root_blocks("packaging/operations/upgrade.md", "Debian package"),
        "upgrade bundle": root_blocks("packaging/operations/upgrade.md", "Bundle"),
        "certificates": every_block("packaging/operations/certificates.md"),
        "remove": remove,
        "purge": purge,
    }
    blocks = {name: [text] for name, text in typed.items()}
    boot = machine.boot({"phase": "operated", "install": "", "drop_ins": [], "blocks": blocks})
    print(boot.journal)

    _assert_worked(boot["quick_start"])
    assert '"status":"disabled"' in boot["quick_start"]["output"]
    for step in KEEPING:
        _assert_worked(boot[step])
        assert boot[step]["known"], step
        assert not boot[step]["incomplete"], step
    assert "ok       pepper" in boot["restored"]["output"]
    assert boot["bundle_upgraded"]["program"] == f"/opt/{BUNDLE}/edgeclients"
    _assert_worked(boot["certified"])
    assert '"status":"pass"' in boot["certified"]["output"]
    assert "notAfter=" in boot["certified"]["output"]
    assert (boot["removed"]["code"], boot["removed"]["database"]) == (0, True), boot["removed"]["output"]
    assert (boot["purged"]["code"], boot["purged"]["state"]) == (0, False), boot["purged"]["output"]


def _assert_worked(found: dict[str, object]) -> None:
    assert (found["code"], found["ActiveState"]) == (0, "active"), found["output"]
