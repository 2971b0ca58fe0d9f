"""Sends spans to a collector: a bounded queue, and a thread that empties it.

Ending a span never blocks. An unavailable, slow or refusing collector costs spans, which are counted, and one log line.
"""

import logging
import threading
from collections import Counter, deque
from typing import Any

import requests
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExportResult

_log = logging.getLogger(__name__)

MOST = 2048  # queued spans
BATCH = 256  # spans per request
PAUSE = 1.0  # seconds to collect a batch
_SEND_SECONDS = 5.0  # per batch, including retries
_ANSWER_BYTES = 16 * 1024  # of a response; the rest is not read


class SpanQueue(SpanProcessor):
    """Sends ended spans until it is closed.

    Args:
        url: the collector's URL, with the path: `http://…/v1/traces`.
        most: the maximum of queued spans; others are dropped.
    """

    def __init__(self, url: str, most: int = MOST) -> None:
        # This class logs failures itself: once, and without the URL, which may hold a password.
        logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL)
        self._exporter = OTLPSpanExporter(url, timeout=_SEND_SECONDS, session=_session())
        self._most = most
        self._waiting: deque[ReadableSpan] = deque()
        self._wake = threading.Event()
        self._closing = False
        self._failing = False
        self._thread = threading.Thread(target=self._run, name="spans", daemon=True)
        self._thread.start()
        self.sent = 0
        self.dropped: Counter[str] = Counter(full=0, failed=0, closed=0)

    @property
    def waiting(self) -> int:
        """The number of queued spans."""
        return len(self._waiting)

    def on_end(self, span: ReadableSpan) -> None:
        """Queue an ended span, or drop it."""
        if self._closing or len(self._waiting) >= self._most:
            self.dropped["closed" if self._closing else "full"] += 1
            return
        self._waiting.append(span)
        if len(self._waiting) >= BATCH:
            self._wake.set()

    def close(self, seconds: float) -> None:
        """Send queued spans for at most `seconds`, then drop the rest; accept no more."""
        self._closing = True
        self._wake.set()
        self._thread.join(seconds)
        left = len(self._waiting)
        self._waiting.clear()
        self.dropped["closed"] += left
        self._exporter.shutdown()  # type: ignore[no-untyped-call] # the exporter has no types
        if left:
            _log.warning("spans dropped at shutdown", extra={"spans": left})

    def _run(self) -> None:
        while not self._closing:
            self._wake.wait(PAUSE)
            self._wake.clear()
            self._send_all()
        self._send_all()

    def _send_all(self) -> None:
        while batch := self._next():
            try:
                done = self._exporter.export(batch) is SpanExportResult.SUCCESS
            except Exception:  # noqa: BLE001 - logged; the next batch is tried
                _log.exception("sending spans failed unexpectedly")
                done = False
            self._note(len(batch), done=done)

    def _next(self) -> list[ReadableSpan]:
        batch: list[ReadableSpan] = []
        while self._waiting and len(batch) < BATCH:
            batch.append(self._waiting.popleft())
        return batch

    def _note(self, spans: int, *, done: bool) -> None:
        if done:
            self.sent += spans
        else:
            self.dropped["failed"] += spans
        if done is self._failing:
            self._failing = not done
            if done:
                _log.info("the collector of MG_JAEGER_URL accepts spans again")
            else:
                _log.warning("the collector of MG_JAEGER_URL does not accept spans; they are dropped")


def _session() -> requests.Session:
    """An HTTP session that ignores proxies and passwords of the environment, and reads no more of a response than needed."""
    session = requests.Session()
    session.trust_env = False
    session.stream = True
    session.hooks["response"] = [_read_little]
    return session


def _read_little(response: requests.Response, **_: Any) -> None:
    """Keep the connection for the next batch if the response is short; else close it.

    Raises:
        HTTPError: the response is a redirect, which is not followed; the exporter would count it as a success.
    """
    response.raw.read(_ANSWER_BYTES)
    response.close()
    if 300 <= response.status_code < 400:
        raise requests.HTTPError(f"status {response.status_code}")
