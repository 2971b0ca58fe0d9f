"""`Authenticate` on encoded messages: the most frequent call of brokers, without message objects."""

from google.protobuf.message import DecodeError

from edgeclients._pb.clients.v1 import clients_pb2
from edgeclients.core.authn.authentication import Authentication
from edgeclients.errors import MalformedRequest
from edgeclients.rpc.calls import Work
from edgeclients.rpc.traced import Context, Prove, TracedCalls

NAME = "Authenticate"
_TOKEN = 0x0A  # field 1 of AuthnReq, length-delimited
_MORE = 0x80  # bit in a byte of a length: another byte follows, with seven more bits
_LONGEST_HEAD = 3  # the tag of the field, and a length of two bytes
_SUCCESS = b"\x08\x01\x12"  # AuthnRes: authenticated = true; the tag of field 2, whose length follows


def work(authentication: Authentication, traced: TracedCalls | None = None) -> Work:
    """The method, from encoded request to encoded response.

    With `traced`, a cache miss has a span. A cache hit runs the same code either way.
    """
    recall = authentication.recall
    prove = _untraced(authentication) if traced is None else traced.proving(NAME, authentication.prove)

    async def authenticate(message: bytes, context: Context) -> bytes:
        token = token_in(message)
        client_id = (recall(token) or await prove(token, context)).encode()
        return _SUCCESS + bytes((len(client_id),)) + client_id

    return authenticate


def _untraced(authentication: Authentication) -> Prove:
    async def prove(token: bytes, _: Context) -> str:
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
