"""Requests whose bodies are streams: files of any size, which are read while they arrive."""

_METHOD = b"POST"
_PATH = b"/clients/import"


def is_streamed(method: bytes, target: bytes) -> bool:
    """Whether a request imports a file."""
    return method == _METHOD and target.partition(b"?")[0].endswith(_PATH)
