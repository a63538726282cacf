"""How a frame's bytes are arranged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional, Tuple

from ._errors import DmaBufError

_MOST_PLANES = 64
_MOST = 2**53 - 1

#: NumPy's types of a tensor's elements and of samples. NumPy has no bfloat16: it is read as its 16 bits.
ELEMENTS: Mapping[str, str] = {
    "int8": "<i1",
    "uint8": "<u1",
    "int16": "<i2",
    "uint16": "<u2",
    "int32": "<i4",
    "uint32": "<u4",
    "float16": "<f2",
    "bfloat16": "<u2",
    "float32": "<f4",
    "float64": "<f8",
    "int64": "<i8",
    "uint64": "<u8",
    "bool": "|b1",
}
_SAMPLES = ("uint8", "int16", "int32", "float32", "float64")
_LAYOUTS = ("interleaved", "planar")
#: NumPy's types of the numbers that the samples of an image are made of.
_PIXELS: Mapping[str, str] = {
    "RGBA": "<u1",
    "BGRA": "<u1",
    "RGBX": "<u1",
    "BGRX": "<u1",
    "RGB24": "<u1",
    "BGR24": "<u1",
    "GREY": "<u1",
    "GRAY16": "<u2",
    "YUYV": "<u1",
    "UYVY": "<u1",
    "NV12": "<u1",
    "P010": "<u2",
    "I420": "<u1",
    "I444": "<u1",
}


def bytes_of(dtype: str) -> int:
    """Bytes of one number of a NumPy type as those above."""
    return int(dtype[2:])


@dataclass(frozen=True)
class PlaneFormat:
    """How the bytes of one plane of a frame are arranged."""

    #: Bytes from the start of the frame.
    offset: int
    #: Bytes from one row to the next.
    stride: int
    #: Samples in a row. A sample of NV12's second plane is a pair (U, V), and one of YUYV's are two pixels.
    width: int
    #: Rows.
    height: int
    #: Bytes of one sample.
    bytes_per_sample: int


@dataclass(frozen=True)
class FrameFormat:
    """How a frame's bytes are arranged. What a kind of format does not have is ``None``."""

    #: ``"image"``, ``"tensor"``, ``"audio"`` or ``"raw"``.
    kind: str
    #: Bytes of one frame.
    size: int
    #: At least one.
    planes: Tuple[PlaneFormat, ...]
    #: Images: how the planes are to be read, as ``"NV12"``.
    pixel_format: Optional[str] = None
    #: Images: pixels.
    width: Optional[int] = None
    #: Images: rows of pixels.
    height: Optional[int] = None
    #: Tensors: the length of each dimension, outermost first.
    shape: Optional[Tuple[int, ...]] = None
    #: Tensors: the type of an element. Audio: that of a sample.
    type: Optional[str] = None
    #: Audio: how many channels.
    channels: Optional[int] = None
    #: Audio: samples a second, of each channel.
    rate: Optional[int] = None
    #: Audio: how many samples a frame has of each channel, at most.
    samples: Optional[int] = None
    #: Audio: ``"interleaved"`` or ``"planar"``.
    layout: Optional[str] = None

    @property
    def dtype(self) -> str:
        """NumPy's type of the numbers in its planes, as ``"<u2"``."""
        if self.kind == "image":
            return _PIXELS[str(self.pixel_format)]
        return "<u1" if self.kind == "raw" else ELEMENTS[str(self.type)]

    @property
    def length_unit(self) -> int:
        """Of how many bytes a frame's length is a multiple; 0 where all frames have the format's size."""
        if self.kind == "raw":
            return 1
        return self.planes[0].bytes_per_sample if self.layout == "interleaved" else 0

    def has_length(self, length: float) -> bool:
        """Whether a frame may have so many bytes."""
        if length == self.size:
            return True
        unit = self.length_unit
        return unit > 0 and 0 <= length <= self.size and length % unit == 0


def parse_format(value: object) -> FrameFormat:
    """The format that a server has sent: code that believes it reads and writes nothing outside the frame.

    Raises ``DmaBufError`` ``EPROTO`` if it is damaged.
    """
    if not isinstance(value, dict):
        raise _damaged("it is no object")
    kind: Any = value.get("kind")
    size: Any = value.get("size")
    if kind not in ("image", "tensor", "audio", "raw"):
        raise _damaged('"kind" of it is wrong')
    if not _is_positive(size):
        raise _damaged('"size" of it is wrong')
    planes = value.get("planes")
    if not isinstance(planes, list) or not 1 <= len(planes) <= _MOST_PLANES:
        raise _damaged('"planes" of it is wrong')
    form = FrameFormat(kind, size, tuple(_parse_plane(plane, size) for plane in planes), **_parse_fields(kind, value))
    unit = bytes_of(form.dtype)
    if kind != "tensor" and any(plane.bytes_per_sample % unit for plane in form.planes):
        raise _damaged("its samples are no whole numbers")
    if kind == "tensor" and _product(form.shape or ()) * unit != size:
        raise _damaged('"shape" of it is wrong')
    if kind == "audio" and form != _audio(form):
        raise _damaged("it does not fit its own samples")
    return form


def _parse_fields(kind: str, value: Dict[str, Any]) -> Dict[str, Any]:
    fields: Dict[str, Any] = {}

    def take(name: str, is_right: bool, as_name: Optional[str] = None) -> None:
        if not is_right:
            raise _damaged(f'"{name}" of it is wrong')
        fields[as_name or name] = value[name]

    if kind == "image":
        take("pixelFormat", _is_one_of(value.get("pixelFormat"), _PIXELS), "pixel_format")
        take("width", _is_positive(value.get("width")))
        take("height", _is_positive(value.get("height")))
    elif kind == "tensor":
        take("type", _is_one_of(value.get("type"), ELEMENTS))
        shape = value.get("shape")
        take("shape", isinstance(shape, list) and len(shape) > 0 and all(map(_is_positive, shape)))
        fields["shape"] = tuple(fields["shape"])
    elif kind == "audio":
        take("type", _is_one_of(value.get("type"), _SAMPLES))
        take("layout", _is_one_of(value.get("layout"), _LAYOUTS))
        take("channels", _is_positive(value.get("channels")) and value["channels"] <= _MOST_PLANES)
        take("rate", _is_positive(value.get("rate")))
        take("samples", _is_positive(value.get("samples")))
    return fields


def _audio(form: FrameFormat) -> FrameFormat:
    """Everything in such a format follows from what it is made of."""
    channels, samples, unit = form.channels or 0, form.samples or 0, bytes_of(form.dtype)
    in_plane = 1 if form.layout == "planar" else channels
    stride = samples * unit * in_plane
    planes = tuple(
        PlaneFormat(i * stride, stride, samples, 1, unit * in_plane)
        for i in range(channels if form.layout == "planar" else 1)
    )
    return FrameFormat(
        "audio",
        stride * len(planes),
        planes,
        type=form.type,
        channels=channels,
        rate=form.rate,
        samples=samples,
        layout=form.layout,
    )


def _parse_plane(value: object, size: int) -> PlaneFormat:
    if isinstance(value, dict):
        offset, stride = value.get("offset"), value.get("stride")
        width, height, sample = value.get("width"), value.get("height"), value.get("bytesPerSample")
        numbers = (stride, width, height, sample)
        if all(map(_is_positive, numbers)) and (_is_positive(offset) or (type(offset) is int and offset == 0)):
            plane = PlaneFormat(*(number for number in (offset, *numbers) if type(number) is int))
            row = plane.width * plane.bytes_per_sample
            if row <= plane.stride and plane.offset + plane.stride * plane.height <= size:
                return plane
    raise _damaged('"planes" of it is wrong')


def _product(lengths: Tuple[int, ...]) -> int:
    product = 1
    for length in lengths:
        product *= length
    return product


def _is_positive(value: object) -> bool:
    return type(value) is int and 1 <= value <= _MOST


def _is_one_of(value: object, names: object) -> bool:
    return isinstance(value, str) and isinstance(names, (tuple, dict)) and value in names


def _damaged(reason: str) -> DmaBufError:
    return DmaBufError("EPROTO", f"Cannot understand the stream: it is served with a damaged format: {reason}")
