"""The Debian package of a bundle, by `dpkg-deb`."""

import errno
import gzip
import hashlib
import os
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from builder.changelog import debian_changelog
from builder.commands import need_program
from builder.depends import depends
from builder.problem import Problem
from builder.unpack import Bundle, debian_version

PACKAGING = Path(__file__).resolve().parents[1]
SOURCES = PACKAGING / "debian"
UNITS = PACKAGING.parent / "systemd"

_DOCUMENTS = "usr/share/doc/edgeclients"
_FILES = {
    UNITS / "edgeclients.service": "usr/lib/systemd/system/edgeclients.service",
    UNITS / "edgeclients-backup.service": "usr/lib/systemd/system/edgeclients-backup.service",
    UNITS / "edgeclients-backup.timer": "usr/lib/systemd/system/edgeclients-backup.timer",
    UNITS / "edgeclients.sysusers": "usr/lib/sysusers.d/edgeclients.conf",
    UNITS / "edgeclients.tmpfiles": "usr/lib/tmpfiles.d/edgeclients.conf",
    SOURCES / "edgeclients.default": "etc/default/edgeclients",
    SOURCES / "lintian-overrides": "usr/share/lintian/overrides/edgeclients",
    SOURCES / "copyright": f"{_DOCUMENTS}/copyright",
    PACKAGING / "completion" / "edgeclients.bash": "usr/share/bash-completion/completions/edgeclients",
    PACKAGING / "completion" / "edgeclients.zsh": "usr/share/zsh/vendor-completions/_edgeclients",
    PACKAGING / "completion" / "edgeclients.fish": "usr/share/fish/vendor_completions.d/edgeclients.fish",
}
_MODES = {"etc/default/edgeclients": 0o640}
_SCRIPTS = ("postinst", "prerm", "postrm")
_TITLE = re.compile(r'^(\.TH \S+ \d) "" edgeclients', re.MULTILINE)
_MAINTAINER = re.compile(r"[^<>\n]+ <[^<>@\s]+@[^<>@\s]+>")


def make_package(bundle: Bundle, folder: Path, moment: int, maintainer: str) -> Path:
    """The package of `bundle`, made in `folder` together with intermediate files. The files of `bundle` move into it.

    Args:
        bundle: what is packaged.
        folder: where to write.
        moment: the time of all files in it, in seconds since 1970.
        maintainer: whom the package names, `Name <address>`.

    Raises:
        Problem: it cannot be made.
        OSError: a file cannot be written.
    """
    if not _MAINTAINER.fullmatch(maintainer):
        raise Problem(f"{maintainer!r} is no maintainer: write 'Name <address>'")
    tree = folder / "tree"
    needs = depends(bundle.program)
    _install(bundle, tree)
    _document(bundle, tree, moment, maintainer)
    _describe(bundle, tree, needs, maintainer)
    _date(tree, moment)
    package = folder / f"edgeclients_{debian_version(bundle.version)}_{bundle.architecture}.deb"
    _pack(tree, package, moment)
    return package


def _install(bundle: Bundle, tree: Path) -> None:
    home = tree / "usr/lib/edgeclients"
    home.parent.mkdir(parents=True)
    shutil.move(bundle.folder, home)
    link = tree / "usr/bin/edgeclients"
    link.parent.mkdir()
    link.symlink_to("../lib/edgeclients/edgeclients")
    for source, name in _FILES.items():
        _write(tree / name, source.read_bytes(), _MODES.get(name, 0o644))
    (tree / "DEBIAN").mkdir()
    for name in _SCRIPTS:
        _write(tree / "DEBIAN" / name, (SOURCES / name).read_bytes(), 0o755)
    _write(tree / "DEBIAN" / "conffiles", (SOURCES / "conffiles").read_bytes())


def _document(bundle: Bundle, tree: Path, moment: int, maintainer: str) -> None:
    licences = tree / "usr/lib/edgeclients/LICENSES"
    if licences.is_dir():
        shutil.move(licences, tree / _DOCUMENTS / licences.name)
    changes = (PACKAGING / "CHANGELOG.md").read_text()
    changelog = debian_changelog(changes, bundle.version, moment, maintainer)
    _write(tree / _DOCUMENTS / "changelog.gz", _compressed(changelog))
    day = datetime.fromtimestamp(moment, UTC).date()
    for page in sorted((PACKAGING / "man").glob("*.[158]")):
        text = _TITLE.sub(rf'\1 {day} "edgeclients {bundle.version}"', page.read_text())
        _write(tree / f"usr/share/man/man{page.suffix[1:]}/{page.name}.gz", _compressed(text))


def _describe(bundle: Bundle, tree: Path, needs: list[str], maintainer: str) -> None:
    """Write `control` and `md5sums`."""
    paths = [path for path in sorted(tree.rglob("*")) if "DEBIAN" not in path.relative_to(tree).parts]
    files = [path for path in paths if path.is_file() and not path.is_symlink()]
    sums = (f"{hashlib.md5(path.read_bytes()).hexdigest()}  {path.relative_to(tree)}" for path in files)  # noqa: S324 - dpkg's
    _write(tree / "DEBIAN" / "md5sums", "".join(f"{line}\n" for line in sums).encode())
    # As Debian's policy counts: whole kibibytes of files, and one for everything else.
    size = sum(-(-path.stat().st_size // 1024) for path in files) + len(paths) - len(files)
    values = {
        "VERSION": debian_version(bundle.version),
        "ARCHITECTURE": bundle.architecture,
        "MAINTAINER": maintainer,
        "INSTALLED_SIZE": str(size),
        "DEPENDS": ", ".join(needs),
    }
    control = re.sub(r"@([A-Z_]+)@", lambda found: values[found[1]], (SOURCES / "control").read_text())
    _write(tree / "DEBIAN" / "control", control.encode())


def _date(tree: Path, moment: int) -> None:
    """Give all files one time, and folders one mode."""
    for path in [*tree.rglob("*"), tree]:
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
        os.utime(path, (moment, moment), follow_symlinks=False)


def _pack(tree: Path, package: Path, moment: int) -> None:
    # With more than one thread, the compressed file depends on how many there are.
    env = {**os.environ, "SOURCE_DATE_EPOCH": str(moment), "DPKG_DEB_THREADS_MAX": "1", "TMPDIR": str(package.parent)}
    program = need_program("dpkg-deb", "dpkg")
    command = [program, "--build", "--root-owner-group", "-Zxz", str(tree), str(package)]
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if "No space left" in done.stdout:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(package.parent))
    if done.returncode:
        raise Problem(done.stdout.strip().splitlines()[-1] if done.stdout.strip() else f"dpkg-deb ended with {done.returncode}")


def _write(place: Path, content: bytes, mode: int = 0o644) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    place.chmod(mode)


def _compressed(text: str) -> bytes:
    return gzip.compress(text.encode(), compresslevel=9, mtime=0)
