"""Sets of clients, by number. What they have in common is found by a few operations, however many they are."""

import struct
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Final, Self

import msgspec

BLOCK: Final = 2048
"""The numbers of a block: 0 to 2,047, 2,048 to 4,095, and so on. A row holds the clients of one block."""

_BYTES = BLOCK // 8
_LISTED = _BYTES // 2  # fewer are shorter as a list of 16-bit numbers than as a bit each; the length tells which it is
_BITS_OF_BYTE = tuple(tuple(bit for bit in range(8) if byte >> bit & 1) for byte in range(256))


class ClientSet:
    """An immutable set of client numbers.

    Args:
        blocks: by the number of a block, an integer with a bit for each of its clients.
    """

    def __init__(self, blocks: Mapping[int, int]) -> None:
        self._blocks = blocks

    @classmethod
    def of(cls, numbers: Iterable[int]) -> Self:
        """The set of some numbers."""
        blocks: dict[int, int] = {}
        for number in numbers:
            block, place = divmod(number, BLOCK)
            blocks[block] = blocks.get(block, 0) | 1 << place
        return cls(blocks)

    def __len__(self) -> int:
        return sum(map(int.bit_count, self._blocks.values()))

    def __contains__(self, number: int) -> bool:
        return bool(self._blocks.get(number // BLOCK, 0) >> number % BLOCK & 1)

    def __iter__(self) -> Iterator[int]:
        for block in sorted(self._blocks):
            for place in _places(self._blocks[block]):
                yield block * BLOCK + place

    def __and__(self, other: Self) -> Self:
        theirs = other._blocks
        return type(self)({block: bits & theirs[block] for block, bits in self._blocks.items() if block in theirs})

    def __or__(self, other: Self) -> Self:
        united = dict(self._blocks)
        for block, bits in other._blocks.items():
            united[block] = united.get(block, 0) | bits
        return type(self)(united)

    def __sub__(self, other: Self) -> Self:
        theirs = other._blocks
        return type(self)({block: bits & ~theirs.get(block, 0) for block, bits in self._blocks.items()})

    @cached_property
    def json(self) -> str:
        """The numbers as a JSON array, for `json_each`."""
        return msgspec.json.encode(list(self)).decode()


def encode(places: list[int]) -> bytes:
    """The clients of a block as they are stored; `places` are their numbers in it, each once."""
    if len(places) < _LISTED:
        return struct.pack(f"<{len(places)}H", *places)
    return _united(places).to_bytes(_BYTES, "little")


def decode(stored: bytes) -> int:
    """The clients of a block as the bits of an integer."""
    if len(stored) == _BYTES:
        return int.from_bytes(stored, "little")
    return _united(struct.unpack(f"<{len(stored) // 2}H", stored))


def add(stored: bytes, added: bytes) -> bytes:
    """The clients of a block of which some are stored and some are added."""
    return encode(list(_places(decode(stored) | decode(added))))


def remove(stored: bytes, place: int) -> bytes:
    """The clients of a block without one of them; empty if it was the last."""
    return encode([one for one in _places(decode(stored)) if one != place])


def _united(places: Iterable[int]) -> int:
    bits = 0
    for place in places:
        bits |= 1 << place
    return bits


def _places(bits: int) -> Iterator[int]:
    for position, byte in enumerate(bits.to_bytes(_BYTES, "little")):
        if byte:
            for bit in _BITS_OF_BYTE[byte]:
                yield position * 8 + bit
