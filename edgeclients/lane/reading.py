"""Frames out of bytes, which arrive in pieces of any size (RFC 9113, sections 3.4 and 4.1)."""

from collections.abc import Callable

from edgeclients.lane import frames
from edgeclients.lane.frames import HEAD, HEAD_BYTES, PREFACE, Code, ConnectionFault


class FrameReader:
    """Reads the preface and the frames of one connection.

    Args:
        most: maximum of bytes of a frame, without its head.
        take: gets type, flags, stream and payload of each frame; returns whether the next one may follow now.
    """

    __slots__ = ("_has_preface", "_kept", "_most", "_needed", "_take")

    def __init__(self, most: int, take: Callable[[int, int, int, bytes], bool]) -> None:
        self._most = most
        self._take = take
        self._kept = bytearray()
        self._needed = len(PREFACE)
        self._has_preface = False

    def read(self, data: bytes) -> None:
        """Read what has arrived, behind what was kept.

        Raises:
            ConnectionFault: it is not HTTP/2, or a frame is too long.
        """
        if self._kept:
            self._kept += data
            if len(self._kept) < self._needed:
                return
            data = bytes(self._kept)
            self._kept.clear()
        if self._has_preface:
            self._read_frames(data, 0)
            return
        if data[: len(PREFACE)] != PREFACE[: len(data)]:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "preface")
        if len(data) < len(PREFACE):
            self._keep(data, len(PREFACE))
            return
        self._has_preface = True
        self._read_frames(data, len(PREFACE))

    def _read_frames(self, data: bytes, place: int) -> None:
        end, unpack, most, take = len(data), HEAD.unpack_from, self._most, self._take
        while end - place >= HEAD_BYTES:
            high, low, kind, flags, number = unpack(data, place)
            length = high << 8 | low
            if length > most:
                raise ConnectionFault(Code.FRAME_SIZE_ERROR, "frame is too long")
            behind = place + HEAD_BYTES + length
            if behind > end:
                self._keep(data[place:], HEAD_BYTES + length)
                return
            place, content = behind, data[place + HEAD_BYTES : behind]
            if not take(kind, flags, number & frames.STREAM, content):
                break
        if place < end:
            self._keep(data[place:], HEAD_BYTES)

    def _keep(self, rest: bytes, needed: int) -> None:
        self._kept += rest
        self._needed = needed
