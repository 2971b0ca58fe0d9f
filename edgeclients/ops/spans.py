"""Spans on their way to a collector: a bounded queue, and a thread that sends what is in it.

Whoever ends a span waits for nothing. A collector that is away, slow or refuses costs spans, which are counted, and one line.
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

MOST = 2048  # spans that wait
BATCH = 256  # spans sent together
PAUSE = 1.0  # seconds for a batch to gather
_SEND_SECONDS = 5.0  # for a batch, tries included
_ANSWER_BYTES = 16 * 1024  # of an answer; what is behind is not read


class SpanQueue(SpanProcessor):
    """Sends what ends, until it is closed.

    Args:
        url: of the collector, with the path: `http://…/v1/traces`.
        most: spans that wait at a time; more are dropped.
    """

    def __init__(self, url: str, most: int = MOST) -> None:
        # What goes wrong is told here, once and without the URL: it may carry a password.
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
        """How many spans wait."""
        return len(self._waiting)

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span that has ended."""
        if self._closing or len(self._waiting) >= self._most:
            self.dropped["closed" if self._closing else "full"] += 1
            return
        self._waiting.append(span)
        if len(self._waiting) >= BATCH:
            self._wake.set()

    def close(self, seconds: float) -> None:
        """Send what waits in so many seconds, drop the rest, and take no more."""
        self._closing = True
        self._wake.set()
        self._thread.join(seconds)
        left = len(self._waiting)
        self._waiting.clear()
        self.dropped["closed"] += left
        self._exporter.shutdown()  # type: ignore[no-untyped-call]
        if left:
            _log.warning("spans were not sent before the end", extra={"spans": left})

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
            except Exception:  # noqa: BLE001 - it goes on with the next batch, and the log has it all
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
                _log.info("spans are sent again")
            else:
                _log.warning("the collector named by MG_JAEGER_URL takes no spans: they are dropped")


def _session() -> requests.Session:
    """HTTP without what the surroundings say of proxies and passwords, and without more of an answer than is needed."""
    session = requests.Session()
    session.trust_env = False
    session.stream = True
    session.hooks["response"] = [_read_little]
    return session


def _read_little(response: requests.Response, **_: Any) -> None:
    """Leave the connection for the next batch if the answer is short, and end it if not.

    Raises:
        HTTPError: it leads elsewhere, where nobody follows; the exporter would take it for a success.
    """
    response.raw.read(_ANSWER_BYTES)
    response.close()
    if 300 <= response.status_code < 400:
        raise requests.HTTPError(f"status {response.status_code}")
