"""Lines of an atomic import between their judgement and their writing: in a file, as they may be many. No secret is in it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO, Self

import msgspec

from edgeclients.core.authz.permit import Permit
from edgeclients.core.provisioning.writing import Prepared
from edgeclients.operations import Operation

_LENGTH_BYTES = 4
_END = 2  # of a file: what `seek` counts from
_encode = msgspec.json.Encoder().encode


class Spool:
    """Parts of a file's lines; iterating reads them. `file` is closed at the end of the context."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._permits: dict[int, Mapping[Operation, Permit]] = {}
        self.secrets: dict[int, str] = {}
        """Secrets made here, by line."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, lines: Sequence[Prepared]) -> None:
        """Keep some lines."""
        for one in lines:
            if one.made and one.record.generated is None:
                self.secrets[one.record.line] = one.record.secret
            one.record.secret = ""
        self.keep_permits(lines)
        for one in lines:
            one.permits = None
        part = _encode(lines)
        self._file.seek(0, _END)
        self._file.write(len(part).to_bytes(_LENGTH_BYTES, "big") + part)

    def keep_permits(self, lines: Sequence[Prepared]) -> None:
        """Keep what the caller may do to the clients of some lines."""
        self._permits |= {one.record.line: one.permits for one in lines if one.permits is not None}

    def __iter__(self) -> Iterator[list[Prepared]]:
        self._file.seek(0)
        while length := self._file.read(_LENGTH_BYTES):
            lines = _decode(self._file.read(int.from_bytes(length, "big")))
            for one in lines:
                one.permits = self._permits.get(one.record.line)
            yield lines


_decode = msgspec.json.Decoder(list[Prepared]).decode
