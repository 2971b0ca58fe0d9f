"""Whether the service answers, or could listen if it ran."""

import contextlib
import http
from typing import Any

import msgspec

from edgeclients.errors import StartError
from edgeclients.ops.listen import bind
from edgeclients.settings import Settings
from edgeclients.wiring.asking import Answer, Unanswered, ask
from edgeclients.wiring.doctor.check import Check

_NAME = "ports"


def answering(settings: Settings) -> Check:
    """Whether the service, which runs, is ready."""
    if not settings.http_port:
        return Check.ok(_NAME, "the service runs, on ports that the system has chosen: it cannot be asked")
    try:
        answer = ask(settings, "/ready")
    except Unanswered as error:
        return Check.warning(_NAME, f"the service runs, but there is {error}", "wait if it has just started, else see its log")
    return _judged(answer)


def of_cloud(settings: Settings) -> Check:
    """Whether the service is ready, if it runs on this host, which no lock tells in cloud mode."""
    if settings.http_port:
        with contextlib.suppress(Unanswered):
            return _judged(ask(settings, "/ready"))
    return available(settings)


def available(settings: Settings) -> Check:
    """Whether the service, which does not run, could listen."""
    try:
        for host, port, variable in (
            (settings.http_host, settings.http_port, "MG_CLIENTS_HTTP"),
            (settings.grpc_host, settings.grpc_port, "MG_CLIENTS_GRPC"),
        ):
            # Shared, these sockets do not listen: they keep no service from starting meanwhile.
            for one in bind(host, port, variable, shared=True):
                one.close()
    except StartError as error:
        return Check.failed(_NAME, error)
    return Check.ok(_NAME, "the service does not run, and its ports are free")


def _judged(answer: Answer) -> Check:
    if answer.status == http.HTTPStatus.OK:
        return Check.ok(_NAME, f"the service is ready at {answer.address}")
    return Check.broken(_NAME, f"the service at {answer.address} is not ready ({_reason(answer)})", "see its log")


def _reason(answer: Answer) -> str:
    try:
        body: Any = msgspec.json.decode(answer.body)
        storage, grpc = body["storage"], body["grpc"]
    except (msgspec.DecodeError, LookupError, TypeError):
        return f"status {answer.status}"
    return "storage cannot be written" if not storage["writable"] else f"gRPC is {grpc}"
