"""The OpenAPI document, generated from the routes. `python -m edgeclients.http.openapi` writes schema/openapi.json.

Routes carry their documentation from `docs.describe`. `schemas` turns types of bodies into JSON Schema.
"""

import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

from litestar.handlers import HTTPRouteHandler

from edgeclients import __version__
from edgeclients.errors import DomainError, row_of
from edgeclients.files import schema_path
from edgeclients.http.app import build
from edgeclients.http.parts import BodyLimits, Operations, UseCases
from edgeclients.http.wire.docs import CHANNEL_ID, CLIENT_ID, DESCRIBED, DOMAIN_ID, ROLE_ID, Described
from edgeclients.http.wire.failures import JSON, ErrorBody
from edgeclients.http.wire.fields import UUID
from edgeclients.http.wire.parameters import Parameter
from edgeclients.http.wire.schemas import Schemas
from edgeclients.ops.health import health_document

_INFO: Final = {
    "title": "edgeclients",
    "version": __version__,
    "description": "Clients of an IoT installation, their secrets, their connections to channels, and access control.\n\n"
    "Every error has the same body: a message for people and a stable code for programs. A request body may contain "
    "additional fields. The service ignores unknown fields and `readOnly` fields.",
    "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
}
# Relative to this document, so that it is right behind a reverse proxy that adds a path prefix.
_SERVERS: Final = [{"url": ".", "description": "The service that serves this document."}]
_TAGS: Final = {
    "clients": "Devices and applications of a domain, and their credentials.",
    "roles": "Access to a client for users other than the operator: its roles, their actions and members.",
    "channels": "Which clients may publish to and subscribe on which channels.",
    "journal": "Who has changed what, and which logins were denied.",
    "operations": "State of the service; no token is needed.",
}
_SECURITY_SCHEMES: Final = {
    "operator": {
        "type": "http",
        "scheme": "bearer",
        "description": "The token of an operator, or of a user of the Auth service.",
    }
}
_NO_DOTS = "^([A-Za-z0-9._-]{3,36}|[A-Za-z0-9_-][A-Za-z0-9._-]?|[.][A-Za-z0-9_-])$"  # no dot segments
_PATH_PARAMETERS: Final = {
    "domain_id": {
        "schema": {"type": "string", "minLength": 1, "maxLength": 36, "pattern": _NO_DOTS},
        "example": DOMAIN_ID,
        "description": "The domain.",
    },
    "client_id": {"schema": {"type": "string", "pattern": UUID}, "example": CLIENT_ID, "description": "The client's id."},
    "role_id": {"schema": {"type": "string", "minLength": 1}, "example": ROLE_ID, "description": "The role's id."},
    "channel_id": {"schema": {"type": "string", "pattern": UUID}, "example": CHANNEL_ID, "description": "The channel's id."},
}
_HEADERS: Final = {"location": {"description": "`/clients/<id>`", "schema": {"type": "string"}}}


class _Operation(NamedTuple):
    path: str
    method: str
    docs: Described


def description() -> dict[str, Any]:
    """The OpenAPI document, as plain data."""
    operations = sorted(_operations(), key=lambda operation: operation[:2])
    schemas = Schemas([one.docs.body for one in operations], [ErrorBody, *(one.docs.answer for one in operations)])
    paths: dict[str, dict[str, Any]] = {}
    for path, method, docs in operations:
        paths.setdefault(path, {})[method] = _operation(path, docs, schemas)
    return {
        "openapi": "3.1.0",
        "info": _INFO,
        "servers": _SERVERS,
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "paths": paths,
        "components": {"schemas": schemas.components, "securitySchemes": _SECURITY_SCHEMES},
    }


def text() -> str:
    """The document as JSON text, as schema/openapi.json contains it."""
    return json.dumps(description(), indent=1, ensure_ascii=False, sort_keys=False) + "\n"


def main() -> None:
    """Write the file. With `--check`, exit with an error if it is out of date."""
    path = schema_path("openapi.json")
    if sys.argv[1:] == ["--check"]:
        if not path.exists() or path.read_text(encoding="utf-8") != text():
            sys.exit(f"{path.name} is out of date: run python -m edgeclients.http.openapi")
        return
    Path(path).write_text(text(), encoding="utf-8")


def _operations() -> Iterator[_Operation]:
    """The documentation of every route. The routes get no use cases, because nothing calls them here."""
    absent = cast("Any", None)
    health = health_document("4b9e8a0c-0a55-4d53-8d8a-1b6a9d3c5e7f")
    app = build(UseCases(*[absent] * len(UseCases._fields)), Operations(health, absent, absent), BodyLimits())
    for route in app.routes:
        for handler in cast("Sequence[HTTPRouteHandler]", getattr(route, "route_handlers", ())):
            if DESCRIBED in handler.opt:
                for method in handler.http_methods - {"HEAD", "OPTIONS"}:
                    yield _Operation(route.path_format, method.lower(), handler.opt[DESCRIBED])


def _operation(path: str, docs: Described, schemas: Schemas) -> dict[str, Any]:
    described: dict[str, Any] = {
        "tags": [docs.tag],
        "summary": docs.summary,
        "description": docs.details,
        "operationId": docs.operation,
        "parameters": [
            {"name": name, "in": "path", "required": True, **_PATH_PARAMETERS[name]} for name in re.findall(r"{(\w+)}", path)
        ]
        + [_query_parameter(parameter) for parameter in docs.query],
    }
    if docs.body is not None:
        content = {"schema": schemas.of(docs.body), "example": docs.body_example}
        described["requestBody"] = {"required": True, "content": dict.fromkeys(docs.body_media, content)}
    success: dict[str, Any] = {"description": docs.summary}
    if docs.headers:
        success["headers"] = {name: _HEADERS[name] for name in docs.headers}
    if docs.answer is not None:
        example = {} if docs.example is None else {"example": docs.example}
        shown = {"schema": schemas.of(docs.answer), **example}
        success["content"] = dict.fromkeys(docs.media_types, shown)
    described["responses"] = {str(docs.status): success, **_failures(docs.errors, schemas)}
    described["security"] = [{"operator": []}] if docs.protected else []
    return described


def _query_parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": "query",
        "required": False,
        "description": parameter.help,
        "schema": dict(parameter.schema),
    }


def _failures(errors: Sequence[type[DomainError]], schemas: Schemas) -> dict[str, Any]:
    by_status: dict[str, dict[str, str]] = {}
    for row in sorted({row_of(error()) for error in errors}, key=lambda row: (row.http, row.code)):
        by_status.setdefault(str(row.http), {})[row.code] = row.message
    return {
        status: {
            "description": " · ".join(messages.values()),
            "content": {
                JSON: {
                    "schema": schemas.of(ErrorBody),
                    "examples": {
                        code: {"summary": message, "value": {"message": message, "error": code}}
                        for code, message in messages.items()
                    },
                }
            },
        }
        for status, messages in by_status.items()
    }


if __name__ == "__main__":
    main()
