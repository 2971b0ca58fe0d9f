"""`edgeclients serve`: runs the service until SIGTERM."""

import asyncio
import contextlib
import gc
import inspect
import logging
import os
import sys
from collections.abc import Coroutine
from functools import partial
from typing import Any

import uvloop

from edgeclients import __version__, settings
from edgeclients.cli.config import report
from edgeclients.cli.terminal import fail
from edgeclients.concurrency import StoppedError, run_on_event, run_until_stopped
from edgeclients.errors import DomainError, EndedError, StartError, text_of
from edgeclients.progress import Progress
from edgeclients.signals import Signals
from edgeclients.wiring import descriptors, notify
from edgeclients.wiring.notify import Manager
from edgeclients.wiring.service import Running, build, set_up_logs
from edgeclients.wiring.workers import Lifeline, WorkerError, supervise

_COLLECT_AFTER = 50_000  # objects; Python's default is 700
_SWITCH_SECONDS = 0.0005  # Python's default is 5 ms

_log = logging.getLogger(__name__)


def serve(signals: Signals, lifeline: int | None = None) -> int:
    """Serve until a signal requests a stop, and return the exit code: 0 after such a stop, else an error's.

    Args:
        signals: the signals that request it.
        lifeline: in a worker, the descriptor of its lifeline to the supervisor.
    """
    try:
        loaded = settings.load(os.environ)
    except settings.Faults as faults:
        return report(faults)
    gc.disable()  # nothing created at the start is garbage
    set_up_logs(loaded)
    for name in settings.unknown(os.environ):
        _log.warning("%s is not a setting", name)
    supervising = loaded.workers > 1 and lifeline is None
    manager = notify.Manager() if lifeline is not None else notify.found(os.environ)
    try:
        descriptors.raise_limit()
        descriptors.require((descriptors.of_supervisor if supervising else descriptors.of_service)(loaded))
        if supervising:
            gc.enable()
            _run(supervise(loaded, os.environ, signals, manager))
        else:
            _run(_serve(loaded, signals, manager, Lifeline(lifeline) if lifeline is not None else None))
    except StartError as error:
        manager.failed(str(error))
        return fail(str(error))
    except (EndedError, WorkerError) as error:
        manager.failed(str(error))
        _log.error("%s", error)  # the text already says what ended and why
        return 1
    except DomainError as error:
        storage = "PostgreSQL" if loaded.mode == "cloud" else f"the disk that holds {loaded.data_dir}"
        reason = f"the first write failed ({text_of(error)}): check {storage}"
        manager.failed(reason)
        return fail(reason)
    return 0


def _run(work: Coroutine[Any, Any, None]) -> None:
    """Run `work` in a new event loop."""
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(work)
    finally:
        if inspect.getcoroutinestate(work) == inspect.CORO_CREATED:
            work.close()  # if no loop could be created, Python would warn about it


async def _serve(loaded: settings.Settings, signals: Signals, manager: Manager, lifeline: Lifeline | None) -> None:
    stop, reload = asyncio.Event(), asyncio.Event()
    signals.listen(stop, reload)
    if lifeline is not None:
        lifeline.watch(stop)
        manager = notify.of_worker(lifeline, os.environ)
    progress = Progress()
    async with contextlib.AsyncExitStack() as stack:
        try:
            with manager.starting(progress):
                running = await run_until_stopped(stop, stack.enter_async_context(build(loaded, progress)))
        except StoppedError:
            _log.info("stopped before it was ready")
            return
        _share_the_interpreter()
        _log.info(
            "ready" if lifeline is None else "worker ready",
            extra={
                "version": __version__,
                "http": running.http,
                "grpc": running.grpc,
                "data": str(running.data_dir.absolute()) if running.data_dir else "",
                "token_file": str(running.token_file.absolute()) if running.token_file else "",
            },
        )
        await running.complete()
        words = notify.words(running.http, running.grpc)
        async with manager.serving(words, running.fault, lambda: not progress.is_stuck(notify.STUCK_SECONDS)):
            _calm_garbage_collection()
            with contextlib.suppress(StoppedError):
                await run_until_stopped(stop, _run_until_it_ends(running, reload, manager))
        _log.info("stopping")
    _log.info("stopped")


async def _run_until_it_ends(running: Running, reload: asyncio.Event, manager: Manager) -> None:
    """Reload certificates when `reload` is set, until a server ends."""
    await asyncio.gather(running.ended(), run_on_event(reload, partial(manager.reload, running.reload)))


def _calm_garbage_collection() -> None:
    """Exclude objects that live as long as the process, and collect less often: a bulk create took a third longer without."""
    gc.collect()
    gc.freeze()
    gc.enable()
    gc.set_threshold(_COLLECT_AFTER, 20, 50)


def _share_the_interpreter() -> None:
    """Switch quickly between the writer thread and the event loop: a commit has many short steps."""
    sys.setswitchinterval(_SWITCH_SECONDS)
