"""`edgeclients serve` with a fault in it: on SIGWINCH the loop that takes gRPC calls ends.

Run it as `python -m tests.support.breaking HOW`: `cancelled`; `failing`, which is with the next call; `for_good`: cancelled,
and it cannot listen again; or `ever_again`: cancelled, and so is each that follows.
"""

import asyncio
import os
import signal
import sys

from edgeclients.cli.main import main
from edgeclients.errors import StartError
from edgeclients.rpc.grpcio import core, server


class _Breaking(core.LastingServer):
    """One whose loop can be ended."""

    broken = False

    async def start(self) -> None:
        await super().start()
        if _Breaking.broken:
            self._break()
        asyncio.get_running_loop().add_signal_handler(signal.SIGWINCH, self._break)

    def _break(self) -> None:
        if sys.argv[-1] == "failing":
            self._server._request_registered_call = _fail
            return
        _Breaking.broken = sys.argv[-1] == "ever_again"
        if sys.argv[-1] == "for_good":
            server._listen = _refuse
        for loop in (task for task in asyncio.all_tasks() if "_server_main_loop" in repr(task)):
            loop.cancel()


async def _fail(_: bytes) -> None:
    raise RuntimeError("no such luck")


def _refuse(*_: object, **__: object) -> int:
    raise StartError("cannot listen")


if __name__ == "__main__":
    os.environ["MG_CLIENTS_GRPC_SERVER"] = "grpcio"
    setattr(server, "LastingServer", _Breaking)  # noqa: B010 # it is of another module
    sys.exit(main(["serve"]))
