"""`Authenticate` on bytes: the one call that brokers make all the time, without message objects."""

import time

import grpc
from google.protobuf.message import DecodeError

from edgeclients._pb.clients.v1 import clients_pb2
from edgeclients.core.authn.authentication import Authentication
from edgeclients.errors import DomainError, MalformedRequest, row_of, text_of
from edgeclients.ops.metrics import Requests
from edgeclients.rpc.failures import telling
from edgeclients.rpc.limits import admit
from edgeclients.rpc.receiving import Receiving
from edgeclients.rpc.traced import Context, Handler, Prove, TracedCalls

NAME = "Authenticate"
_TOKEN = 0x0A  # field 1 of AuthnReq, length-delimited
_MORE = 0x80  # in a byte of a length: another one follows, with seven more bits
_LONGEST_HEAD = 3  # the field, and a length of two bytes
_SUCCESS = b"\x08\x01\x12"  # AuthnRes: authenticated = true; field 2, of the length that follows


def handler(
    authentication: Authentication, requests: Requests, receiving: Receiving, most: int, calls: TracedCalls | None = None
) -> Handler:
    """The method, counted in `requests`, at most so many at a time, every error told by its row.

    With `calls` there are spans, of what the cache does not answer: what it does answer is the same code either way.
    """
    recall = authentication.recall
    prove = _untraced(authentication) if calls is None else calls.proving(NAME, authentication.prove)

    async def handle(_: object, context: Context) -> bytes:
        started = time.perf_counter()
        code, working = "CANCELLED", 0
        try:
            message = await receiving.message(context)
            admit(requests.active, most)
            requests.active += (working := 1)
            token = token_in(message)
            client_id = (recall(token) or await prove(token, context)).encode()
            code = "OK"
            return _SUCCESS + bytes((len(client_id),)) + client_id
        except Exception as error:  # noqa: BLE001 - told as INTERNAL, with all of it in the log
            told, text = (error, text_of(error)) if isinstance(error, DomainError) else telling(NAME, error)
            code = row_of(told).grpc
            # Not by the context's code alone: an empty message goes with that, for which a caller may leave no room.
            await context.abort(grpc.StatusCode[code], text)
        finally:
            requests.active -= working
            requests.count(NAME, code, time.perf_counter() - started)
        raise AssertionError("abort raises")

    return handle


def _untraced(authentication: Authentication) -> Prove:
    async def prove(token: bytes, _: Context) -> str:
        return await authentication.prove(token)

    return prove


def token_in(message: bytes) -> bytes:
    """The token in an AuthnReq.

    Raises:
        MalformedRequest: it is none.
    """
    # As every caller writes it: the one field, once, in ASCII. Whatever else there is, is left to a real parser.
    if len(message) > _LONGEST_HEAD and message[0] == _TOKEN:
        low, high = message[1], message[2]
        start, size = (2, low) if low < _MORE else (3, low - _MORE + high * _MORE if high < _MORE else -1)
        token = message[start:]
        if len(token) == size and token.isascii():
            return token
    try:
        return clients_pb2.AuthnReq.FromString(message).token.encode()
    except DecodeError as error:
        raise MalformedRequest("no such message") from error
