"""Requests that are like earlier ones are compared with them: they say the same as those that are read in full."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeclients.lane.calls import Fields
from edgeclients.lane.requests import MalformedRequest, Request, Requests, request_of

_CALL = [
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", b"/a/b"),
    (b"content-type", b"application/grpc"),
    (b"te", b"trailers"),
]
_NAMES = (
    b":method",
    b":path",
    b"content-type",
    b"content-length",
    b"te",
    b"grpc-timeout",
    b"grpc-encoding",
    b"a",
    b"b",
    b"B",
    b"",
)
_VALUES = (
    b"POST",
    b"GET",
    b"/a/b",
    b"application/grpc",
    b"trailers",
    b"1S",
    b"99999999m",
    b"123456789S",
    b"7",
    b"",
    b" 1S",
    b"1S\n",
)
_FIELD = st.tuples(st.sampled_from(_NAMES), st.sampled_from(_VALUES) | st.binary(max_size=3))
_FIELDS = st.lists(_FIELD, max_size=4).flatmap(lambda more: st.sampled_from([[*_CALL, *more], [*more, *_CALL], more]))


def _read(read: object, fields: Fields) -> Request | str:
    try:
        return read(fields)  # type: ignore[operator, no-any-return]
    except MalformedRequest as error:
        return str(error)


@given(st.lists(_FIELDS, min_size=2, max_size=8))
def test_whatever_came_before_a_request_says_the_same(some: list[Fields]) -> None:
    requests = Requests()
    for fields in [*some, *some]:
        read, alike = _read(request_of, fields), _read(requests.of, fields)
        assert isinstance(read, Request) == isinstance(alike, Request)
        assert read == alike or not isinstance(read, Request)


@pytest.mark.parametrize("value", [b" 1S", b"1S ", b"1\nS", b"\x00", b"\t"])
def test_a_value_that_no_field_may_have_is_found_in_a_known_request_too(value: bytes) -> None:
    requests = Requests()
    for name in (b"grpc-timeout", b"traceparent"):
        requests.of([*_CALL, (name, b"1S")])
        with pytest.raises(MalformedRequest):
            requests.of([*_CALL, (name, value)])


def test_each_request_has_its_own_values() -> None:
    requests = Requests()
    for number in range(3):
        request = requests.of([*_CALL, (b"grpc-timeout", b"%dS" % number), (b"a", b"x" * number)])
        assert request.timeout == number
        assert request.fields[-1] == (b"a", b"x" * number)
        assert request.size == request_of(request.fields).size
    assert requests.of([*_CALL, (b"grpc-timeout", b"soon"), (b"a", b"")]).fault
    assert not requests.of([*_CALL, (b"grpc-timeout", b"1S"), (b"a", b"")]).fault


def test_what_is_kept_is_bounded() -> None:
    requests = Requests()
    for number in range(2_000):
        requests.of([*_CALL, (b"user-agent", b"%d" % number)])
    assert len(requests._known) <= 128
    requests = Requests()
    requests.of([*_CALL, (b"user-agent", b"x" * 10_000)])
    assert not requests._known
