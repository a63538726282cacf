"""How an image is to be shown."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

from ._formats import FrameFormat

#: What a color space says of itself where it does not know it (``null`` in WebCodecs).
UNKNOWN = "unknown"

#: How many numbers a picture is.
PICTURE_NUMBERS = 13


@dataclass(frozen=True)
class VisibleRect:
    """A part of an image, in pixels."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class ColorSpace:
    """What the numbers of an image mean, by the names of WebCodecs' ``VideoColorSpace``.

    ``None`` is what is not said, and ``"unknown"`` what WebCodecs has as ``null``.
    """

    #: ``"bt709"``, ``"bt470bg"``, ``"smpte170m"``, ``"bt2020"`` or ``"smpte432"``.
    primaries: Optional[str] = None
    #: ``"bt709"``, ``"smpte170m"``, ``"iec61966-2-1"``, ``"linear"``, ``"pq"`` or ``"hlg"``.
    transfer: Optional[str] = None
    #: ``"rgb"``, ``"bt709"``, ``"bt470bg"``, ``"smpte170m"`` or ``"bt2020-ncl"``.
    matrix: Optional[str] = None
    #: Whether they use all values of their bits.
    full_range: Union[bool, str, None] = None


@dataclass(frozen=True)
class Picture:
    """How an image is to be shown, in the words of WebCodecs. ``None`` is what is not said."""

    #: How long it is shown, in the unit of the frame's timestamp.
    duration: Optional[float] = None
    #: The pixels that are to be seen.
    visible_rect: Optional[VisibleRect] = None
    #: How wide it is shown, in pixels; not without ``display_height``.
    display_width: Optional[int] = None
    #: How high it is shown, in pixels; not without ``display_width``.
    display_height: Optional[int] = None
    #: By how many degrees it is turned clockwise: 0, 90, 180 or 270.
    rotation: Optional[int] = None
    #: Whether left and right are exchanged.
    flip: Optional[bool] = None
    #: What its numbers mean.
    color_space: Optional[ColorSpace] = None


_ROTATIONS = (0, 90, 180, 270)
_FLIPS = (False, True)
_PRIMARIES = (UNKNOWN, "bt709", "bt470bg", "smpte170m", "bt2020", "smpte432")
_TRANSFERS = (UNKNOWN, "bt709", "smpte170m", "iec61966-2-1", "linear", "pq", "hlg")
_MATRICES = (UNKNOWN, "rgb", "bt709", "bt470bg", "smpte170m", "bt2020-ncl")
_RANGES = (UNKNOWN, False, True)


def decode_picture(numbers: Sequence[float], form: FrameFormat) -> Picture:
    """The picture of a frame's metadata. Raises ``ValueError`` if it is damaged."""
    if form.kind != "image":
        raise ValueError("it is no image")
    duration, width, height, rotation, flip, x, y, across, down, *space = numbers
    rect = _decode_rect((x, y, across, down), form)
    colors: List[Any] = [
        _chosen(number, values) for number, values in zip(space, (_PRIMARIES, _TRANSFERS, _MATRICES, _RANGES))
    ]
    if not math.isnan(duration) and not 0 <= duration < math.inf:
        raise ValueError("its duration is wrong")
    if math.isnan(width) != math.isnan(height):
        raise ValueError("its size is incomplete")
    return Picture(
        duration=None if math.isnan(duration) else duration,
        visible_rect=rect,
        display_width=_integer(width, 1),
        display_height=_integer(height, 1),
        rotation=_chosen(rotation, _ROTATIONS),
        flip=_chosen(flip, _FLIPS),
        color_space=None if colors == [None] * 4 else ColorSpace(*colors),
    )


def encode_picture(picture: Picture) -> Dict[str, Any]:
    """A picture as the protocol has it."""
    rect, space = picture.visible_rect, picture.color_space
    return _said(
        duration=picture.duration,
        visibleRect=None if rect is None else _said(x=rect.x, y=rect.y, width=rect.width, height=rect.height),
        displayWidth=picture.display_width,
        displayHeight=picture.display_height,
        rotation=picture.rotation,
        flip=picture.flip,
        colorSpace=None
        if space is None
        else {
            name: None if value == UNKNOWN else value
            for name, value in _said(
                primaries=space.primaries, transfer=space.transfer, matrix=space.matrix, fullRange=space.full_range
            ).items()
        },
    )


def _said(**fields: Any) -> Dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _decode_rect(numbers: Tuple[float, ...], form: FrameFormat) -> Optional[VisibleRect]:
    if all(map(math.isnan, numbers)):
        return None
    x, y, width, height = (_integer(number, least) for number, least in zip(numbers, (0, 0, 1, 1)))
    if x is None or y is None or width is None or height is None:
        raise ValueError("its visible part is incomplete")
    if x + width > (form.width or 0) or y + height > (form.height or 0):
        raise ValueError("its visible part is outside")
    return VisibleRect(x, y, width, height)


def _integer(number: float, least: int) -> Optional[int]:
    if math.isnan(number):
        return None
    if number != math.floor(number) or not least <= number < 2**53:
        raise ValueError("a number of it is wrong")
    return int(number)


def _chosen(number: float, values: Sequence[Any]) -> Any:
    """The number of a value is its place, from 1; every other one is none."""
    known = not math.isnan(number) and number == math.floor(number) and 1 <= number <= len(values)
    return values[int(number) - 1] if known else None
