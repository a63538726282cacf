"""What travels with a frame: it is in the same memory, behind the frame's bytes."""

from __future__ import annotations

import json
import math
import struct
from typing import Any, NamedTuple, NoReturn, Optional

from ._errors import DmaBufError
from ._formats import FrameFormat
from ._picture import PICTURE_NUMBERS, Picture, decode_picture

_HEAD = struct.Struct("<dddI")
_LENGTH = struct.Struct("<d")
_LENGTH_AT = 32
_PICTURE = struct.Struct(f"<{PICTURE_NUMBERS}d")
_PICTURE_AT = 40
#: Bytes of metadata beside the text.
FIXED_BYTES = _PICTURE_AT + _PICTURE.size

_SHORT = 0x8000_0000
_PICTURED = 0x4000_0000
_DATA_BYTES = _PICTURED - 1


class Metadata(NamedTuple):
    sequence: int
    timestamp: float
    published_at: int
    length: int
    picture: Optional[Picture]
    data: Any


def metadata_offset(form: FrameFormat) -> int:
    """Where metadata begin: behind the frame, aligned for doubles."""
    return -(-form.size // 8) * 8


def frame_buffer_size(form: FrameFormat) -> int:
    """Bytes that a buffer has at least."""
    return metadata_offset(form) + FIXED_BYTES


def read_metadata(whole: memoryview, form: FrameFormat) -> Metadata:
    """Raises ``DmaBufError`` ``EPROTO`` if they are damaged."""
    at = metadata_offset(form)
    sequence, timestamp, published_at, flags = _HEAD.unpack_from(whole, at)
    if not 0 <= sequence < 2**53 or not 0 <= published_at < math.inf:
        raise DmaBufError("EPROTO", "Cannot read the frame: its numbers are damaged")
    length: float = form.size
    picture: Optional[Picture] = None
    data: Any = None
    if flags != 0:
        if flags & _SHORT:
            (length,) = _LENGTH.unpack_from(whole, at + _LENGTH_AT)
            if not form.has_length(length):
                raise DmaBufError("EPROTO", "Cannot read the frame: its length is damaged")
        if flags & _PICTURED:
            try:
                picture = decode_picture(_PICTURE.unpack_from(whole, at + _PICTURE_AT), form)
            except ValueError as error:
                raise DmaBufError("EPROTO", f"Cannot read the frame: its picture is damaged: {error}") from error
        if flags & _DATA_BYTES:
            data = _read_data(whole[at + FIXED_BYTES :], flags & _DATA_BYTES)
    return Metadata(int(sequence), timestamp, int(published_at), int(length), picture, data)


def _read_data(area: memoryview, length: int) -> Any:
    # Cut short, they could still be JSON, and say something else.
    if length <= area.nbytes:
        try:
            return json.loads(bytes(area[:length]), parse_constant=_refuse)
        except (ValueError, RecursionError) as error:
            raise DmaBufError("EPROTO", "Cannot read the frame's data: they are damaged") from error
    raise DmaBufError("EPROTO", "Cannot read the frame's data: they are damaged")


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"JSON has no {name}")
