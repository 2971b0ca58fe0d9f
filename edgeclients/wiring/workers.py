"""Several processes that serve on the same ports of one host, and the one that keeps them running."""

import asyncio
import contextlib
import logging
import sys
from collections.abc import Mapping, Sequence

from edgeclients import __version__
from edgeclients.addresses import authority
from edgeclients.concurrency import GivenUpError, unless, whenever
from edgeclients.ops.health import health_document
from edgeclients.ops.listen import bind
from edgeclients.ops.supervisor import Lifeline, Supervisor, WorkerError
from edgeclients.settings import Settings
from edgeclients.signals import Signals

__all__ = ["Lifeline", "WorkerError", "supervise"]

_log = logging.getLogger(__name__)


async def supervise(settings: Settings, environ: Mapping[str, str], signals: Signals) -> None:
    """Have `settings.workers` processes serve until `signals` ask for a stop.

    Raises:
        StartError: a port is taken.
        WorkerError: one of them could not start.
    """
    stop, reread = asyncio.Event(), asyncio.Event()
    signals.listen(stop, reread)
    with contextlib.ExitStack() as held:
        http_port = _hold(held, settings.http_host, settings.http_port, "MG_CLIENTS_HTTP")
        grpc_port = _hold(held, settings.grpc_host, settings.grpc_port, "MG_CLIENTS_GRPC")
        env = {
            **environ,
            "MG_CLIENTS_HTTP_PORT": str(http_port),
            "MG_CLIENTS_GRPC_PORT": str(grpc_port),
            "MG_CLIENTS_INSTANCE_ID": health_document(settings.instance_id)["instance_id"],  # they are one instance
        }
        supervisor = Supervisor(_command(), env, settings.workers)
        try:
            await unless(stop, supervisor.start())
        except GivenUpError:
            return
        _log.info(
            "ready",
            extra={
                "version": __version__,
                "http": f"{'https' if settings.http_cert else 'http'}://{authority(settings.http_host, http_port)}",
                "grpc": authority(settings.grpc_host, grpc_port),
                "workers": settings.workers,
            },
        )
        try:
            with contextlib.suppress(GivenUpError):
                await unless(stop, _run(supervisor, reread))
        finally:
            _log.info("stopping")
            await supervisor.stop()
    _log.info("stopped")


async def _run(supervisor: Supervisor, reread: asyncio.Event) -> None:
    await asyncio.gather(supervisor.run(), whenever(reread, supervisor.reload))


def _command() -> Sequence[str]:
    """What starts a worker of this program, whether it is a bundle or installed."""
    program = [sys.executable] if getattr(sys, "frozen", False) else [sys.executable, "-m", "edgeclients"]
    return [*program, "serve", "--worker"]


def _hold(held: contextlib.ExitStack, host: str, port: int, variable: str) -> int:
    """Take a port for our workers alone, and return its number; connections go to who listens, which we do not.

    A port that is taken is an error here as anywhere: only then is it opened to sharing.
    """
    probes = bind(host, port, variable)
    number = int(probes[0].getsockname()[1])
    for probe in probes:
        probe.close()
    for one in bind(host, number, variable, shared=True):
        held.callback(one.close)
    return number
