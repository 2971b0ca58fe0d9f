"""gRPC in C++, to compare with: a server that is built here, where Debian's libgrpc++-dev is installed."""

import shutil
import subprocess
from pathlib import Path

_HERE = Path(__file__).parent
_PROTOS = _HERE.parents[2] / "proto"
_FILES = ("clients/v1/clients", "common/v1/common")
_NEEDED = ("g++", "protoc", "grpc_cpp_plugin", "pkg-config")
_INSTALL = "apt-get install g++ pkg-config libgrpc++-dev protobuf-compiler-grpc"


class NotBuilt(Exception):  # noqa: N818 - says what is so
    """Says why there is no such server here."""


def build(folder: Path) -> Path:
    """The server's program, made in `folder`.

    Raises:
        NotBuilt: something is not installed.
    """
    missing = [name for name in _NEEDED if shutil.which(name) is None]
    if missing or subprocess.run(["pkg-config", "--exists", "grpc++", "protobuf"], check=False).returncode:
        raise NotBuilt(f"{', '.join(missing) or 'libgrpc++-dev'} is not installed ({_INSTALL})")
    folder.mkdir()
    program, plugin = folder / "server", shutil.which("grpc_cpp_plugin")
    outputs = (f"--cpp_out={folder}", f"--grpc_out={folder}", f"--plugin=protoc-gen-grpc={plugin}")
    _run("protoc", *outputs, *(f"{name}.proto" for name in _FILES), folder=_PROTOS)
    sources = [str(folder / f"{name}{kind}.pb.cc") for name in _FILES for kind in ("", ".grpc")]
    _run("g++", "-O2", "-std=c++17", f"-I{folder}", str(_HERE / "server.cpp"), *sources, "-o", str(program), *_flags())
    return program


def _flags() -> list[str]:
    command = ["pkg-config", "--cflags", "--libs", "grpc++", "protobuf"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def _run(*command: str, folder: Path | None = None) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotBuilt(f"{command[0]} failed: {done.stderr.strip().splitlines()[-1:]}")
