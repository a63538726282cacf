"""Frames, planes and loans as the program sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, List, Tuple

from ._formats import FrameFormat, PlaneFormat, bytes_of

if TYPE_CHECKING:
    import numpy.typing

    from ._memory import Window


class Plane:
    """One plane of a frame: its arrangement, and its bytes in place."""

    __slots__ = ("_format", "bytes", "bytes_per_sample", "height", "offset", "stride", "width")

    def __init__(self, form: FrameFormat, plane: PlaneFormat, view: memoryview) -> None:
        self._format = form
        #: The plane's bytes, in place until the frame is given back.
        self.bytes = view
        #: Bytes from the start of the frame.
        self.offset = plane.offset
        #: Bytes from one row to the next.
        self.stride = plane.stride
        #: Samples in a row.
        self.width = plane.width
        #: Rows.
        self.height = plane.height
        #: Bytes of one sample.
        self.bytes_per_sample = plane.bytes_per_sample

    @property
    def array(self) -> "numpy.typing.NDArray[Any]":
        """The plane as an array of NumPy, without a copy. A viewer's can only be read.

        Its shape is (height, width) or (height, width, numbers of a sample) for images, as (540, 960, 2) for the second
        plane of NV12 at 1080p; a tensor's own; (samples, channels) for interleaved audio, (samples,) for a channel of
        planar audio; (bytes,) for raw frames. NumPy has no bfloat16: its array has the 16 bits as ``uint16``.
        """
        import numpy

        form = self._format
        if form.kind == "tensor":
            return numpy.frombuffer(self.bytes, form.dtype).reshape(form.shape or ())
        unit = bytes_of(form.dtype)
        shape: List[int] = [self.height, self.width] if form.kind == "image" else [self.width]
        strides = [self.stride, self.bytes_per_sample] if form.kind == "image" else [self.bytes_per_sample]
        if form.layout == "interleaved" or self.bytes_per_sample > unit:
            shape.append(self.bytes_per_sample // unit)
            strides.append(unit)
        # NumPy knows no array of no bytes in no memory.
        flat = numpy.frombuffer(self.bytes, numpy.uint8) if self.bytes.nbytes > 0 else numpy.zeros(0, numpy.uint8)
        return numpy.ndarray(shape, form.dtype, flat, 0, strides)


def planes_of(form: FrameFormat, window: Window, length: int) -> Tuple[Plane, ...]:
    """The planes of a frame. Of one that is shorter than its format, a plane is one row of what there is."""
    return tuple(_plane_of(form, plane, window, length) for plane in form.planes)


def _plane_of(form: FrameFormat, plane: PlaneFormat, window: Window, length: int) -> Plane:
    start, full = plane.offset, plane.stride * plane.height
    view = window.part(min(start, length), min(start + full, length))
    if view.nbytes == full:
        return Plane(form, plane, view)
    sample = plane.bytes_per_sample
    return Plane(form, PlaneFormat(start, view.nbytes, view.nbytes // sample, 1, sample), view)
