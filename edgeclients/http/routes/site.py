"""Routes that need no token: health, readiness, metrics and the API documentation."""

import asyncio
import gzip
from functools import cache
from pathlib import Path
from typing import Any

from litestar import MediaType, get
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.response.base import ASGIResponse

from edgeclients.errors import NoRoute, Unavailable, row_of
from edgeclients.files import schema_path
from edgeclients.http.wire.answers import answer
from edgeclients.http.wire.call import Call
from edgeclients.http.wire.docs import describe
from edgeclients.http.wire.failures import HEALTH_JSON
from edgeclients.ops.health import Readiness
from edgeclients.ops.metrics import Metrics

_ASSETS = Path(__file__).parent.parent / "assets"
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>edgeclients API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{folder}swagger-ui.css">
</head>
<body>
<div id="page"></div>
<script src="{folder}swagger-ui-bundle.js"></script>
<script src="{folder}start.js"></script>
</body>
</html>
"""
# Relative to the script, so that it is right with and without a trailing slash and below the path prefix of a proxy.
_START = """"use strict";
const url = new URL("../openapi.json", document.currentScript.src).href;
SwaggerUIBundle({ url, dom_id: "#page", deepLinking: true, validatorUrl: null });
"""
_TYPES = {"swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript"}
_POLICY = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
}


def routes(health: dict[str, str], readiness: Readiness, metrics: Metrics) -> list[BaseRouteHandler]:
    """The routes of these reports."""

    @get(
        "/health",
        **describe(
            "health",
            "Whether the process is alive",
            "Reports only that the process answers. `/ready` reports whether changes can be made.",
            answer=dict[str, str],
            example=health | {"instance_id": "4b9e8a0c-0a55-4d53-8d8a-1b6a9d3c5e7f"},
            tag="operations",
            protected=False,
            media_types=(HEALTH_JSON,),
        ),
    )
    async def get_health() -> ASGIResponse:
        return answer(health, headers={"content-type": HEALTH_JSON})

    @get(
        "/ready",
        **describe(
            "ready",
            "Whether changes can be made",
            "Reports the state of storage, cache and events. 503 while no change can be made.",
            answer=dict[str, Any],
            example={
                "status": "ready",
                "storage": {"backend": "sqlite", "writable": True, "last_commit": "2026-11-23T10:15:30.25Z"},
                "grpc": "serving",
                "cache": {"backend": "memory"},
                "events": {"relay": "off"},
                "clock": {"status": "ok", "difference_seconds": 0},
            },
            errors=(Unavailable,),
            tag="operations",
            protected=False,
        ),
    )
    async def get_ready() -> ASGIResponse:
        ready, document = await readiness.report()
        if ready:
            return answer(document)
        row = row_of(Unavailable())
        return answer(document | {"message": row.message, "error": row.code}, row.http, {"retry-after": "1"})

    @get(
        "/metrics",
        media_type=MediaType.TEXT,
        **describe(
            "metrics",
            "Metrics for Prometheus",
            "Returns counters and histograms in the text format of Prometheus.",
            answer=str,
            tag="operations",
            protected=False,
            media_types=("text/plain",),
        ),
    )
    async def get_metrics() -> ASGIResponse:
        await metrics.look()
        # In a thread, because the first call imports the library for the format.
        text = await asyncio.to_thread(metrics.render)
        return ASGIResponse(body=text, headers={"content-type": "text/plain; version=0.0.4; charset=utf-8"})

    @get("/openapi.json", operation_id="openapi", include_in_schema=False, sync_to_thread=False)
    def get_openapi() -> ASGIResponse:
        return ASGIResponse(body=_description())

    @get("/docs", operation_id="docs", include_in_schema=False, sync_to_thread=False)
    def get_docs(request: Call) -> ASGIResponse:
        folder = "" if request.scope["raw_path"].endswith(b"/") else "docs/"
        return ASGIResponse(body=_PAGE.format(folder=folder), media_type=MediaType.HTML, headers=_POLICY)

    @get("/docs/{name:str}", operation_id="docsAsset", include_in_schema=False, sync_to_thread=False)
    def get_asset(request: Call, name: str) -> ASGIResponse:
        if name == "start.js":
            return ASGIResponse(body=_START, headers={"content-type": "text/javascript"})
        if name not in _TYPES:
            raise NoRoute
        headers = {"content-type": _TYPES[name], "cache-control": "max-age=86400", "x-content-type-options": "nosniff"}
        body = (_ASSETS / f"{name}.gz").read_bytes()
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["content-encoding"] = "gzip"
        else:
            body = gzip.decompress(body)
        return ASGIResponse(body=body, headers=headers)

    routes = [get_health, get_ready, get_metrics, get_openapi, get_docs, get_asset]
    return [*routes, *map(_head_route, routes)]


def _head_route(route: HTTPRouteHandler) -> HTTPRouteHandler:
    """The same route for `HEAD`: it creates the response of `GET`, of which the server sends only the head."""
    return HTTPRouteHandler(
        sorted(route.paths),
        http_method="HEAD",
        operation_id=route.operation_id,
        include_in_schema=False,
        sync_to_thread=None if asyncio.iscoroutinefunction(route.fn) else False,
    )(route.fn)


@cache
def _description() -> bytes:
    return schema_path("openapi.json").read_bytes()
