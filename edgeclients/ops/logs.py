"""Logs: one JSON object per line on standard output, with `time`, `level`, `msg` and attributes."""

import contextlib
import logging
import sys
from collections.abc import Mapping
from typing import Any, TextIO

import msgspec
from typing_extensions import override

from edgeclients.model import rfc3339
from edgeclients.traces import current_id

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}


class JsonFormatter(logging.Formatter):
    """One line per record; the keys of `extra` become attributes."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": rfc3339(int(record.created * 1_000_000)),
            "level": "WARN" if record.levelno == logging.WARNING else record.levelname,
            "msg": record.getMessage(),
        }
        line.update((key, value) for key, value in vars(record).items() if key not in _STANDARD)
        if trace_id := current_id():
            line["trace_id"] = trace_id
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line, enc_hook=str).decode()


class _Handler(logging.StreamHandler[TextIO]):
    """Writes the log, and reports once on standard error if that fails."""

    _reported = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - overrides logging's name
        error = sys.exception()
        if not isinstance(error, OSError):
            super().handleError(record)
        elif not self._reported:
            self._reported = True
            with contextlib.suppress(OSError):
                sys.stderr.write(f"edgeclients: the log cannot be written ({error.strerror})\n")


def set_up(level: str) -> None:
    """Log to standard output, from `level` on; libraries log from warnings on."""
    handler = _Handler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("edgeclients").setLevel(_LEVELS[level])


def fields(**attributes: object) -> Mapping[str, object]:
    """The attributes that are not empty, for a log call's `extra`."""
    return {key: value for key, value in attributes.items() if value not in (None, "")}
