"""A collector of traces: OTLP over HTTP, decoded."""

import contextlib
import ssl
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.support.callee import Callee, asked_by_http
from tests.support.waiting import wait_until


class Seen(NamedTuple):
    """A span that was sent; `parent` is empty where the trace begins."""

    name: str
    kind: str
    trace: str
    id: str
    parent: str
    attributes: dict[str, str | int]
    failed: bool
    resource: dict[str, str | int]


class Collector:
    """What arrives at a server."""

    def __init__(self, callee: Callee) -> None:
        self.callee = callee
        self.url = callee.url.replace("localhost", "127.0.0.1").replace("/ask", "/v1/traces")

    @property
    def bytes(self) -> bytes:
        """All that was sent, headers included."""
        return b"\n".join(repr(asked.headers).encode() + asked.body for asked in self.callee.asked)

    @property
    def spans(self) -> list[Seen]:
        """All that were sent, in order."""
        return [span for asked in list(self.callee.asked) for span in decoded(asked.body)]

    def named(self, name: str, trace: str = "") -> list[Seen]:
        """Those with a name, of one trace if it is named."""
        return [span for span in self.spans if span.name == name and trace in {"", span.trace}]

    def wait_for(self, name: str, trace: str = "") -> Seen:
        """The first with a name, once it is there."""
        wait_until(lambda: bool(self.named(name, trace)), f"a span {name}")
        return self.named(name, trace)[0]


@contextlib.contextmanager
def collecting(tls: ssl.SSLContext | None = None) -> Iterator[Collector]:
    """A collector that takes everything until its callee is told otherwise."""
    with asked_by_http(tls) as callee:
        yield Collector(callee)


def decoded(body: bytes) -> list[Seen]:
    """The spans of one request."""
    return [
        Seen(
            span.name,
            Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
            span.trace_id.hex(),
            span.span_id.hex(),
            span.parent_span_id.hex(),
            _values(span.attributes),
            span.status.code == Status.STATUS_CODE_ERROR,
            _values(several.resource.attributes),
        )
        for several in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in several.scope_spans
        for span in scope.spans
    ]


def _values(pairs: Iterable[KeyValue]) -> dict[str, str | int]:
    return {pair.key: getattr(pair.value, str(pair.value.WhichOneof("value"))) for pair in pairs}
