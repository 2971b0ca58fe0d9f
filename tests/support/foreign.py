"""Callers of other ecosystems: built from `tests/elsewhere` outside of the repository, once for each state of the sources."""

import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

_ROOT: Final = Path(__file__).resolve().parents[2]
_SOURCES: Final = _ROOT / "tests" / "elsewhere"
_PROTOS: Final = _ROOT / "proto"
_CACHE: Final = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgeclients-elsewhere"

_H2SPEC: Final = "github.com/summerwind/h2spec"
_AS_GRPC: Final = {  # fields that precede others, then those that follow
    'HeaderField(":method", "GET"),': 'HeaderField(":method", "POST"),',
    'HeaderField(":authority", authority),': """HeaderField(":authority", authority),
		HeaderField("content-type", "application/grpc"),
		HeaderField("te", "trailers"),""",
}


class Missing(Exception):  # noqa: N818 - says what is missing
    """A program cannot be built on this machine."""


class _Language(NamedTuple):
    """How the programs of one language are built, in a copy of their sources."""

    tools: Sequence[str]
    fetch: Sequence[str]
    build: Callable[[Path], None]


def program(name: str) -> list[str]:
    """The command that runs a caller, or of `h2spec`; it is built before the first use.

    Raises:
        Missing: a tool is not installed, or packages cannot be fetched.
    """
    language, command = _PROGRAMS[name]
    folder = _built(language)
    return [part.format(folder=folder) for part in command]


@functools.cache
def _built(name: str) -> Path:
    """The folder of a language's programs."""
    language = _LANGUAGES[name]
    for tool in language.tools:
        if shutil.which(tool) is None:
            raise Missing(f"{tool} is not installed")
    folder = _CACHE / f"{name}-{_state(name)}"
    if not folder.is_dir():
        _CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=_CACHE) as scratch:
            work = Path(scratch) / name
            shutil.copytree(_SOURCES / name, work)
            shutil.copytree(_PROTOS, work / "protos")
            _fetch(work, language.fetch)
            language.build(work)
            if not folder.is_dir():  # another process may have been first
                work.rename(folder)
    return folder


def _state(name: str) -> str:
    """A name for the sources as they are."""
    digest = hashlib.sha256()
    for path in sorted(_files(name)):
        digest.update(f"{path.relative_to(_ROOT)}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _files(name: str) -> Iterator[Path]:
    yield Path(__file__).resolve()
    yield from _PROTOS.rglob("*.proto")
    yield from (path for path in (_SOURCES / name).rglob("*") if path.is_file())


def _fetch(work: Path, command: Sequence[str]) -> None:
    ended = _ran(work, command)
    if ended.returncode:
        raise Missing(f"{command[0]} cannot fetch packages: {ended.stdout.strip()[-500:]}")


def _run(work: Path, *command: str) -> str:
    ended = _ran(work, command)
    assert ended.returncode == 0, f"{command}: {ended.stdout}"
    return ended.stdout.strip()


def _ran(work: Path, command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    env = {**os.environ, "GOTOOLCHAIN": "local"}  # an older Go says so, and fetches no other
    return subprocess.run(
        command,
        cwd=work,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        check=False,
    )


def _build_go(work: Path) -> None:
    _run(work, "go", "build", "-o", "bin/", "google.golang.org/protobuf/cmd/protoc-gen-go")
    packages = {"clients/v1/clients.proto": "elsewhere/pb/clients", "common/v1/common.proto": "elsewhere/pb/common"}
    options = [f"--go_opt=M{file}={package}" for file, package in packages.items()]
    plugin = f"--plugin=protoc-gen-go={work / 'bin' / 'protoc-gen-go'}"
    protoc = (sys.executable, "-m", "grpc_tools.protoc", "-Iprotos", plugin)
    _run(work, *protoc, "--go_out=.", "--go_opt=module=elsewhere", *options, *packages)
    _run(work, "go", "build", "-o", "bin/", "./grpcgo", "./connectgo")
    _build_h2spec(work)


def _build_h2spec(work: Path) -> None:
    """Build it from a copy whose requests are those of gRPC; it has no option for that."""
    copy = work / "h2spec"
    shutil.copytree(_run(work, "go", "list", "-m", "-f", "{{.Dir}}", _H2SPEC), copy)
    for path in (copy, *copy.rglob("*")):
        path.chmod(path.stat().st_mode | 0o200)
    (copy / "go.mod").write_text(f"module {_H2SPEC}\n")
    headers = copy / "spec" / "util.go"
    text = headers.read_text()
    for asked, as_grpc in _AS_GRPC.items():
        assert text.count(asked) == 1
        text = text.replace(asked, as_grpc)
    headers.write_text(text)
    _run(work, "go", "mod", "edit", f"-replace={_H2SPEC}=./h2spec")
    _run(work, "go", "build", "-mod=mod", "-o", "bin/", f"{_H2SPEC}/cmd/h2spec")


def _build_node(work: Path) -> None:
    """Nothing to compile."""


def _build_java(work: Path) -> None:
    sources = [str(path) for path in work.rglob("*.java")]
    _run(work, "javac", "--release", "17", "-d", "classes", "-cp", "libraries/*", *sources)


_LANGUAGES: Final = {
    "go": _Language(("go",), ("go", "mod", "download"), _build_go),
    "node": _Language(("node", "npm"), ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"), _build_node),
    "java": _Language(
        ("java", "javac", "mvn"),
        ("mvn", "-q", "-B", "generate-sources", "dependency:copy-dependencies", "-DoutputDirectory=libraries"),
        _build_java,
    ),
}

_PROGRAMS: Final = {
    "grpc-go": ("go", ("{folder}/bin/grpcgo",)),
    "connect-go": ("go", ("{folder}/bin/connectgo",)),
    "grpc-js": ("node", ("node", "{folder}/main.js")),
    "grpc-java": ("java", ("java", "-cp", "{folder}/classes:{folder}/libraries/*", "Main")),
    "h2spec": ("go", ("{folder}/bin/h2spec",)),
}
CALLERS: Final = tuple(name for name in _PROGRAMS if name != "h2spec")
"""Programs that make the calls of a plan (`tests/support/mixed_calls.py`)."""
