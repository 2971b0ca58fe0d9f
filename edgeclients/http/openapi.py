"""The API's description, made from the routes. `python -m edgeclients.http.openapi` writes schema/openapi.json.

Litestar describes paths and answers; what its handlers leave to us (bodies, queries) is added from what `docs.describe` noted.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any, cast

import msgspec
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme

from edgeclients import __version__
from edgeclients.files import schema_path
from edgeclients.http.app import build
from edgeclients.http.docs import CHANNEL_ID, CLIENT_ID, DOMAIN_ID, ROLE_ID
from edgeclients.http.parts import BodyLimits, Operations, UseCases
from edgeclients.ops.health import health_document

_REFERENCE = "#/components/schemas/{name}"
_PATH_PARAMETERS = {
    "domain_id": {
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,36}$"},
        "example": DOMAIN_ID,
        "description": "The domain.",
    },
    "client_id": {"schema": {"type": "string"}, "example": CLIENT_ID, "description": "The client's id, a UUID."},
    "role_id": {"schema": {"type": "string"}, "example": ROLE_ID, "description": "The role's id."},
    "channel_id": {"schema": {"type": "string"}, "example": CHANNEL_ID, "description": "The channel's id, a UUID."},
}
_LOCATION = {"location": {"description": "`/clients/<id>`", "schema": {"type": "string"}}}


def description() -> dict[str, Any]:
    """The OpenAPI document, as plain data."""
    app = _application()
    document = cast("dict[str, Any]", json.loads(msgspec.json.encode(app.openapi_schema.to_schema(), enc_hook=str)))
    document["paths"] = {path: document["paths"][path] for path in sorted(document["paths"])}
    handlers = {h.operation_id: h for route in app.routes for h in getattr(route, "route_handlers", ())}
    for path, item in document["paths"].items():
        for operation in item.values():
            _complete(operation, path, handlers[operation["operationId"]])
    document["components"]["schemas"].update(_body_schemas(handlers.values()))
    return document


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


def _application() -> Litestar:
    """The routes, with nothing behind them: they are described, not called."""
    nothing = cast("Any", None)
    config = OpenAPIConfig(
        title="edgeclients",
        version=__version__,
        description="An IoT installation's clients, their secrets, the channels they are connected to, and who may do what.",
        components=Components(security_schemes={"operator": SecurityScheme(type="http", scheme="bearer")}),
        create_examples=False,
        use_handler_docstrings=False,
    )
    operations = Operations(health_document("4b9e8a0c-0a55-4d53-8d8a-1b6a9d3c5e7f"), nothing, nothing)
    return build(UseCases(*[nothing] * len(UseCases._fields)), operations, BodyLimits(), openapi=config)


def _complete(operation: dict[str, Any], path: str, handler: HTTPRouteHandler) -> None:
    noted = handler.opt
    if noted["status"] == 204:
        operation["responses"].pop("200", None)
    operation["parameters"] = [
        {"name": name, "in": "path", "required": True, **_PATH_PARAMETERS[name]} for name in re.findall(r"{(\w+)}", path)
    ] + [
        {"name": p.name, "in": "query", "required": False, "description": p.help, "schema": dict(p.schema)}
        for p in noted["query"]
    ]
    if noted["body"] is not None:
        schema, _ = msgspec.json.schema_components([noted["body"]], ref_template=_REFERENCE)
        content = {"schema": schema[0], "example": noted["body_example"]}
        operation["requestBody"] = {"required": True, "content": {"application/json": content}}
    for answer in operation["responses"].values():
        for example in _examples(answer):
            example.pop("id", None)  # Litestar's own name for it; OpenAPI knows no such key
    if "location" in noted["answer_headers"]:
        operation["responses"][str(noted["status"])]["headers"] = _LOCATION


def _examples(answer: dict[str, Any]) -> list[dict[str, Any]]:
    return [example for content in answer.get("content", {}).values() for example in content.get("examples", {}).values()]


def _body_schemas(handlers: Any) -> dict[str, Any]:
    bodies = [handler.opt["body"] for handler in handlers if handler.opt.get("body") is not None]
    return dict(msgspec.json.schema_components(bodies, ref_template=_REFERENCE)[1])


if __name__ == "__main__":
    main()
