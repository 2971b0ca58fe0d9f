"""Runs the supervisor of several worker processes that serve on the same ports of one host."""

import asyncio
import contextlib
import logging
import sys
from collections.abc import Mapping, Sequence
from functools import partial

from edgeclients import __version__
from edgeclients.addresses import authority
from edgeclients.concurrency import StoppedError, run_on_event, run_until_stopped
from edgeclients.ops.health import health_document
from edgeclients.ops.listen import bind
from edgeclients.ops.supervisor import Lifeline, Supervisor, WorkerError
from edgeclients.progress import Progress
from edgeclients.settings import Settings
from edgeclients.signals import Signals
from edgeclients.wiring import notify
from edgeclients.wiring.notify import Manager

__all__ = ["Lifeline", "WorkerError", "supervise"]

_log = logging.getLogger(__name__)


async def supervise(settings: Settings, environ: Mapping[str, str], signals: Signals, manager: Manager) -> None:
    """Run `settings.workers` worker processes until `signals` request a stop; `manager` gets reports.

    Raises:
        StartError: a port is not available.
        WorkerError: a worker could not start.
    """
    stop, reload = asyncio.Event(), asyncio.Event()
    signals.listen(stop, reload)
    with contextlib.ExitStack() as held:
        http_port = _hold(held, settings.http_host, settings.http_port, "MG_CLIENTS_HTTP")
        grpc_port = _hold(held, settings.grpc_host, settings.grpc_port, "MG_CLIENTS_GRPC")
        env = {
            **environ,
            **manager.worker_environment,
            "MG_CLIENTS_HTTP_PORT": str(http_port),
            "MG_CLIENTS_GRPC_PORT": str(grpc_port),
            "MG_CLIENTS_INSTANCE_ID": health_document(settings.instance_id)["instance_id"],  # the workers are one instance
        }
        progress = Progress()
        supervisor = Supervisor(_command(), env, settings.workers, on_step=progress.step)
        try:
            with manager.starting(progress):
                await run_until_stopped(stop, supervisor.start())
        except StoppedError:
            return
        http = f"{'https' if settings.http_cert else 'http'}://{authority(settings.http_host, http_port)}"
        grpc = authority(settings.grpc_host, grpc_port)
        _log.info("ready", extra={"version": __version__, "http": http, "grpc": grpc, "workers": settings.workers})
        try:
            sound = partial(supervisor.is_sound, notify.STUCK_SECONDS)
            async with manager.serving(notify.words(http, grpc), supervisor.fault, sound):
                with contextlib.suppress(StoppedError):
                    await run_until_stopped(stop, _run(supervisor, reload, manager))
        finally:
            _log.info("stopping")
            await supervisor.stop()
    _log.info("stopped")


async def _run(supervisor: Supervisor, reload: asyncio.Event, manager: Manager) -> None:
    await asyncio.gather(supervisor.run(), run_on_event(reload, partial(manager.reload, supervisor.reload)))


def _command() -> Sequence[str]:
    """The command that starts a worker, both in a bundle and in an installation."""
    program = [sys.executable] if getattr(sys, "frozen", False) else [sys.executable, "-m", "edgeclients"]
    return [*program, "serve", "--worker"]


def _hold(held: contextlib.ExitStack, host: str, port: int, variable: str) -> int:
    """Reserve a port for the workers, and return its number. Connections go to the workers: the supervisor does not listen.

    The first, exclusive bind detects a port that another program uses. Only then is the port bound for sharing.
    """
    probes = bind(host, port, variable)
    number = int(probes[0].getsockname()[1])
    for probe in probes:
        probe.close()
    for one in bind(host, number, variable, shared=True):
        held.callback(one.close)
    return number
