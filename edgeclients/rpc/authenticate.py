"""`Authenticate` on encoded messages: the most frequent call of brokers, without message objects."""

from google.protobuf.message import DecodeError

from edgeclients._pb.clients.v1 import clients_pb2
from edgeclients.core.authn.authentication import Authentication
from edgeclients.errors import MalformedRequest
from edgeclients.lane.calls import Call, Unary
from edgeclients.rpc.calls import AtOnce, Calls, Work
from edgeclients.rpc.traced import Prove, TracedCalls

NAME = "Authenticate"
_TOKEN = 0x0A  # field 1 of AuthnReq, length-delimited
_MORE = 0x80  # bit in a byte of a length: another byte follows, with seven more bits
_LONGEST_HEAD = 3  # the tag of the field, and a length of two bytes
_SUCCESS = b"\x08\x01\x12"  # AuthnRes: authenticated = true; the tag of field 2, whose length follows


def method(calls: Calls, authentication: Authentication, traced: TracedCalls | None = None) -> Unary:
    """The method, from encoded request to encoded response.

    With `traced`, a cache miss has a span. A cache hit runs the same code either way.
    """
    return calls.unary(NAME, _work(authentication, traced), _at_once(authentication, may_prove=traced is None))


def _at_once(authentication: Authentication, *, may_prove: bool) -> AtOnce:
    """Answers hits of the cache; if it may, misses as well whose read needs no waiting."""
    recall = authentication.recall

    def authenticate(message: bytes) -> bytes | None:
        token = token_in(message)
        client_id = recall(token)
        if client_id is None and may_prove:
            client_id = authentication.prove_at_once(token)
        return None if client_id is None else _success(client_id)

    return authenticate


def _work(authentication: Authentication, traced: TracedCalls | None) -> Work:
    """Answers misses of the cache."""
    prove = _untraced(authentication) if traced is None else traced.proving(NAME, authentication.prove)

    async def authenticate(message: bytes, call: Call) -> bytes:
        return _success(await prove(token_in(message), call))

    return authenticate


def _success(client_id: str) -> bytes:
    encoded = client_id.encode()
    return _SUCCESS + bytes((len(encoded),)) + encoded


def _untraced(authentication: Authentication) -> Prove:
    async def prove(token: bytes, _: Call) -> str:
        return await authentication.prove(token)

    return prove


def token_in(message: bytes) -> bytes:
    """The token in an encoded AuthnReq.

    Raises:
        MalformedRequest: `message` is not an AuthnReq.
    """
    # The usual encoding: one field, once, in ASCII. protobuf parses every other message.
    if len(message) > _LONGEST_HEAD and message[0] == _TOKEN:
        low, high = message[1], message[2]
        start, size = (2, low) if low < _MORE else (3, low - _MORE + high * _MORE if high < _MORE else -1)
        token = message[start:]
        if len(token) == size and token.isascii():
            return token
    try:
        return clients_pb2.AuthnReq.FromString(message).token.encode()
    except DecodeError as error:
        raise MalformedRequest("malformed message") from error
