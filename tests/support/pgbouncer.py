"""A real PgBouncer before a PostgreSQL server: the program that EDGECLIENTS_TEST_PGBOUNCER names."""

import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator

from tests.support.ports import free_port
from tests.support.postgres import Server, folder
from tests.support.users import NOBODY, is_root, unprivileged
from tests.support.waiting import PATIENCE, wait_until

VARIABLE = "EDGECLIENTS_TEST_PGBOUNCER"

_INI = """
[databases]
* = host={server.host} port={server.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
logfile = {folder}/log
pidfile = {folder}/pid
admin_users = {server.user}
"""


@contextlib.contextmanager
def pgbouncer(server: Server, **settings: str) -> Iterator[Server]:
    """`server` through a pooler that runs meanwhile; `settings` are PgBouncer's."""
    with folder() as path:
        port = free_port()
        ini = path / "pgbouncer.ini"
        lines = [f"{name} = {value}" for name, value in settings.items()]
        ini.write_text(_INI.format(server=server, port=port, folder=path) + "\n".join(lines) + "\n")
        (path / "users").write_text(f'"{server.user}" "{server.password}"\n')
        if is_root():  # whose PgBouncer refuses to be
            for one in (path, ini, path / "users"):
                shutil.chown(one, NOBODY)
        process = subprocess.Popen(unprivileged([os.environ[VARIABLE], "-q", ini]))
        try:
            wait_until(lambda: _listens(port) or process.poll() is not None, "PgBouncer to listen")
            assert process.poll() is None, (path / "log").read_text()
            yield server._replace(host="127.0.0.1", port=port)
        finally:
            process.terminate()
            process.wait(PATIENCE)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
