"""What every request passes before routing: a request id, limits, the token, the domain (contract 1.1, 1.2).

One ASGI middleware around the application. The path is read here once, before Litestar folds `//` in it.
"""

import asyncio
import logging
import time
from urllib.parse import unquote_to_bytes

from edgeclients.core.ids import new_uuid
from edgeclients.errors import (
    Busy,
    InvalidId,
    MissingDomain,
    MissingId,
    MissingRoleId,
    MissingToken,
    NoRoute,
    NotFound,
    Unavailable,
)
from edgeclients.http.edge import fast_path
from edgeclients.http.edge.bearer import BearerTokens
from edgeclients.http.edge.fast_path import HotReads
from edgeclients.http.scope import (
    OPERATION,
    REQUEST_ID,
    SESSION,
    Message,
    Receive,
    RoutedApp,
    Scope,
    Send,
    is_protected,
    operation_of,
)
from edgeclients.http.wire.failures import telling
from edgeclients.model import Session, is_domain
from edgeclients.ops.metrics import Requests

_log = logging.getLogger(__name__)

_BEARER = b"Bearer "
# Routes without a trailing-slash form.
_LEAVES = {
    "bulk",
    "tags",
    "secret",
    "enable",
    "disable",
    "parent",
    "connect",
    "disconnect",
    "available-actions",
    "delete",
    "delete-all",
}
_UNPROTECTED = {"health", "ready", "metrics", "docs", "openapi.json"}
# Routes that are no client's; anywhere else these words are client ids (contract 1.1), and no client has them.
_BULK = ["clients", "bulk"]
_AVAILABLE_ACTIONS = ["clients", "roles", "available-actions"]
_WORDS = {"bulk", "roles"}
_ROLE_SEGMENT = 3  # of clients, its id, roles, the role's id
_QUIET = {"GET", "HEAD"}
_UNKNOWN = "none"  # for metrics: turned away, or answered, before it was known what it is
_GONE = 499  # for log and metrics: the caller left before it was answered


class Gate:
    """The application behind it sees only requests that may be routed.

    Args:
        app: where they go.
        callers: whose token is it.
        hot: routes that need no routing.
        requests: how many of them there are.
        most: requests worked on at a time.
    """

    def __init__(self, app: RoutedApp, callers: BearerTokens, hot: HotReads, requests: Requests, most: int) -> None:
        self._app = app
        self._callers = callers
        self._hot = hot
        self._requests = requests
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = scope[REQUEST_ID] = new_uuid()
        status = 0
        gone = False

        async def heard() -> Message:
            nonlocal gone
            message = await receive()
            gone = message["type"] == "http.disconnect"
            return message

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self._requests.active += 1
        try:
            await self._admit(scope, heard, watched)
        except asyncio.CancelledError:
            # The service ends, and has waited for this one long enough.
            if status or gone:
                raise
            for message in telling(Unavailable("stopping", retry_after=1), request_id):
                await watched(message)
        except Exception as error:
            if status:
                raise  # the answer has begun: all that is left is to cut the connection
            if gone:
                status = _GONE
            else:
                for message in telling(error, request_id):
                    await watched(message)
        finally:
            self._requests.active -= 1
            self._note(scope, status, time.perf_counter() - started)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        segments = _segments(scope)
        if segments == ["health"] and scope["method"] in _QUIET:
            scope[OPERATION] = fast_path.HEALTH
            await self._hot.health(send)
            return
        if self._requests.active > self._most:
            raise Busy("too many requests", retry_after=1)
        if is_protected(segments):
            session = scope[SESSION] = await self._session(scope, segments[0])
            # The domain has been read. In its place goes a name that no route has, or a domain called "health" could
            # not be served.
            rest = _checked(segments[1:])
            if _is_client_id(rest, scope["method"]):
                raise NotFound(f"{rest[1]} is a client id here")
            if self._hot.is_view(scope, rest):
                scope[OPERATION] = fast_path.VIEW_CLIENT
                await self._hot.view(session, rest[1], send)
                return
            scope["path"] = "/-/" + "/".join(rest)
        elif segments[0] not in _UNPROTECTED:
            raise NoRoute
        await self._app(scope, receive, send)

    async def _session(self, scope: Scope, domain_id: str) -> Session:
        token = _bearer(scope)
        identity = await self._callers.identify(token, scope.get("client"))
        if not domain_id:
            raise MissingDomain
        if not is_domain(domain_id):
            raise InvalidId("domain")
        return Session(identity.user_id, domain_id, identity.super_admin, scope[REQUEST_ID], identity.pat_id)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        operation = operation_of(scope)
        self._requests.count(operation or _UNKNOWN, str(status), seconds)
        level = _level(scope["method"], status)
        if _log.isEnabledFor(level):
            session: Session | None = scope.get(SESSION)
            _log.log(
                level,
                "%s %s",
                operation or self._name(scope),
                "completed successfully" if status < 400 else "failed",
                extra={
                    "status": status,
                    "duration": f"{seconds:.6f}s",
                    "request_id": scope[REQUEST_ID],
                    "domain_id": session.domain_id if session else "",
                    "user_id": session.user_id if session else "",
                },
            )

    def _name(self, scope: Scope) -> str:
        """What was asked, for the log: in words of ours, whatever the path holds."""
        method = scope["method"]
        return self._app.operation_at(method, _segments(scope)) or ("options" if method == "OPTIONS" else "unknown operation")


def _is_client_id(rest: list[str], method: str) -> bool:
    """Whether a word that routes begin with stands where a client's id does."""
    if len(rest) < 2 or rest[1] not in _WORDS or rest[0] != "clients":
        return False
    return rest != _AVAILABLE_ACTIONS and (rest != _BULK or method != "POST")


def _level(method: str, status: int) -> int:
    if status >= 500 or status == 0:
        return logging.ERROR
    if status >= 400:
        return logging.WARNING
    return logging.DEBUG if method in _QUIET else logging.INFO


def _bearer(scope: Scope) -> str:
    """The token (contract 1.2): exactly `Bearer`, one space, something.

    Raises:
        MissingToken: there is none.
    """
    for name, value in scope["headers"]:
        if name == b"authorization":
            if value.startswith(_BEARER) and len(value) > len(_BEARER):
                return str(value[len(_BEARER) :], "utf-8", "surrogateescape")
            break
    raise MissingToken


def _segments(scope: Scope) -> list[str]:
    """The path's segments, each decoded by itself: an escaped slash stays inside its segment."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    if b"%" not in raw:
        return raw.decode("latin-1").split("/")[1:] or [""]
    return [unquote_to_bytes(part).decode("utf-8", "replace") for part in raw.split(b"/")[1:]] or [""]


def _checked(segments: list[str]) -> list[str]:
    """The segments behind the domain, without a trailing empty one where that is allowed.

    Raises:
        MissingId, MissingRoleId: an id is empty.
        NoRoute: a trailing slash behind a verb.
        NotFound: an id that cannot be.
    """
    if "/" in "".join(segments):
        raise NotFound("escaped slash")
    if segments[-1] == "" and len(segments) > 1:
        if segments[-2] in _LEAVES:
            raise NoRoute
        segments = segments[:-1]
    if "" in segments:
        raise MissingRoleId if segments.index("") == _ROLE_SEGMENT and segments[_ROLE_SEGMENT - 1] == "roles" else MissingId
    return segments
