"""The API's description, made from the routes. `python -m edgeclients.http.openapi` writes schema/openapi.json.

Routes note by `docs.describe` what they are; types of bodies become JSON Schema in `schemas`.
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
    "description": "An IoT installation's clients, their secrets, the channels they are connected to, and who may do what.\n\n"
    "Every error has the same body: a message for people and a stable code for programs. A body may hold more than is "
    "described here: what is unknown is ignored, and so is what only the service says (`readOnly`).",
    "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
}
# Relative to where this document is: behind a reverse proxy, too, and whatever path it adds.
_SERVERS: Final = [{"url": ".", "description": "The service that this description comes from."}]
_TAGS: Final = {
    "clients": "Devices and applications of a domain, and what they prove themselves with.",
    "roles": "Who, beside the operator, may do what to a client.",
    "channels": "Which clients may publish to and subscribe on which channels.",
    "operations": "How the service does; no token is needed.",
}
_SECURITY_SCHEMES: Final = {
    "operator": {
        "type": "http",
        "scheme": "bearer",
        "description": "The token of an operator, or of a user of the Auth service.",
    }
}
_NO_DOTS = "^([A-Za-z0-9._-]{3,36}|[A-Za-z0-9_-][A-Za-z0-9._-]?|[.][A-Za-z0-9_-])$"  # a segment `.` or `..` is none
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
    said: Described


def description() -> dict[str, Any]:
    """The OpenAPI document, as plain data."""
    operations = sorted(_operations(), key=lambda operation: operation[:2])
    schemas = Schemas([one.said.body for one in operations], [ErrorBody, *(one.said.answer for one in operations)])
    paths: dict[str, dict[str, Any]] = {}
    for path, method, said in operations:
        paths.setdefault(path, {})[method] = _operation(path, said, schemas)
    return {
        "openapi": "3.1.0",
        "info": _INFO,
        "servers": _SERVERS,
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "paths": paths,
        "components": {"schemas": schemas.components, "securitySchemes": _SECURITY_SCHEMES},
    }


def text() -> str:
    """The document as the file holds it."""
    return json.dumps(description(), indent=1, ensure_ascii=False, sort_keys=False) + "\n"


def main() -> None:
    """Write the file, or with `--check` say whether it is out of date."""
    path = schema_path("openapi.json")
    if sys.argv[1:] == ["--check"]:
        if not path.exists() or path.read_text(encoding="utf-8") != text():
            sys.exit(f"{path.name} is out of date: run python -m edgeclients.http.openapi")
        return
    Path(path).write_text(text(), encoding="utf-8")


def _operations() -> Iterator[_Operation]:
    """What every route says of itself. Nothing is behind the routes: they are described, not called."""
    nothing = cast("Any", None)
    health = health_document("4b9e8a0c-0a55-4d53-8d8a-1b6a9d3c5e7f")
    app = build(UseCases(*[nothing] * len(UseCases._fields)), Operations(health, nothing, nothing), BodyLimits())
    for route in app.routes:
        for handler in cast("Sequence[HTTPRouteHandler]", getattr(route, "route_handlers", ())):
            if DESCRIBED in handler.opt:
                for method in handler.http_methods - {"HEAD", "OPTIONS"}:
                    yield _Operation(route.path_format, method.lower(), handler.opt[DESCRIBED])


def _operation(path: str, said: Described, schemas: Schemas) -> dict[str, Any]:
    described: dict[str, Any] = {
        "tags": [said.tag],
        "summary": said.summary,
        "description": said.details,
        "operationId": said.operation,
        "parameters": [
            {"name": name, "in": "path", "required": True, **_PATH_PARAMETERS[name]} for name in re.findall(r"{(\w+)}", path)
        ]
        + [_query_parameter(parameter) for parameter in said.query],
    }
    if said.body is not None:
        content = {"schema": schemas.of(said.body), "example": said.body_example}
        described["requestBody"] = {"required": True, "content": {JSON: content}}
    success: dict[str, Any] = {"description": said.summary}
    if said.headers:
        success["headers"] = {name: _HEADERS[name] for name in said.headers}
    if said.answer is not None:
        example = {} if said.example is None else {"example": said.example}
        success["content"] = {said.media_type: {"schema": schemas.of(said.answer), **example}}
    described["responses"] = {str(said.status): success, **_failures(said.errors, schemas)}
    described["security"] = [{"operator": []}] if said.protected else []
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
