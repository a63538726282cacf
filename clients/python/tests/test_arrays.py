"""The arrays of NumPy: every kind of format has its shape, its type and its numbers."""

from __future__ import annotations

import unittest
from typing import Any, Tuple

import dmabuf

from .support import LIMIT, missing, new_place, pattern, serve

try:
    import numpy

    HAS_NUMPY = True
except ImportError:
    HAS_NUMPY = False

Shapes = Tuple[Tuple[int, ...], ...]

IMAGES = {
    "RGBA": ("<u1", ((6, 10, 4),)),
    "BGRA": ("<u1", ((6, 10, 4),)),
    "RGBX": ("<u1", ((6, 10, 4),)),
    "BGRX": ("<u1", ((6, 10, 4),)),
    "RGB24": ("<u1", ((6, 10, 3),)),
    "BGR24": ("<u1", ((6, 10, 3),)),
    "GREY": ("<u1", ((6, 10),)),
    "GRAY16": ("<u2", ((6, 10),)),
    "YUYV": ("<u1", ((6, 5, 4),)),
    "UYVY": ("<u1", ((6, 5, 4),)),
    "NV12": ("<u1", ((6, 10), (3, 5, 2))),
    "P010": ("<u2", ((6, 10), (3, 5, 2))),
    "I420": ("<u1", ((6, 10), (3, 5), (3, 5))),
    "I444": ("<u1", ((6, 10), (6, 10), (6, 10))),
}
TENSORS = {
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


class Arrays(unittest.TestCase):
    def setUp(self) -> None:
        if not HAS_NUMPY:
            missing(self, "numpy (Debian: python3-numpy)")

    def frame(self, format: Any, **publish: Any) -> dmabuf.Frame:
        where = new_place()
        server = serve(self, format=format, look=where)
        viewer = dmabuf.view(where)
        self.addCleanup(viewer.close)
        server.ask("produce", seed=1, publish=publish)
        frame = viewer.next(LIMIT)
        assert frame is not None
        self.addCleanup(frame.close)
        return frame

    def loan(self, format: Any) -> dmabuf.Loan:
        where = new_place()
        serve(self, format=format, fill=where)
        contributor = dmabuf.contribute(where)
        self.addCleanup(contributor.close)
        loan = contributor.loan(LIMIT)
        assert loan is not None
        self.addCleanup(loan.close)
        return loan

    def check(self, frame: dmabuf.Frame, number: int, dtype: str, shape: Tuple[int, ...]) -> None:
        plane = frame.planes[number]
        array = plane.array
        self.assertEqual((array.dtype, array.shape), (numpy.dtype(dtype), shape))
        self.assertFalse(array.flags.writeable)
        with self.assertRaises(ValueError):
            array.flags.writeable = True
        # It is where the bytes are: no copy.
        whole = numpy.frombuffer(frame.bytes, numpy.uint8)
        self.assertEqual(array.__array_interface__["data"][0], whole.__array_interface__["data"][0] + plane.offset)
        # What NumPy reads is what the bytes at the row's place say.
        raw = pattern(1, frame.format.size)
        unit = numpy.dtype(dtype).itemsize
        row = plane.width * plane.bytes_per_sample
        for y in range(plane.height):
            start = plane.offset + y * plane.stride
            expected = numpy.frombuffer(raw[start : start + row], dtype)
            self.assertEqual(array[y].tobytes(), expected.tobytes())
            self.assertEqual(row % unit, 0)

    def test_each_pixel_format_has_its_planes_with_strides_that_are_padded(self) -> None:
        for name, (dtype, shapes) in IMAGES.items():
            with self.subTest(name):
                frame = self.frame({"image": [name, 10, 6, {"strideAlignment": 64}]})
                self.assertEqual(frame.format.pixel_format, name)
                self.assertEqual(len(frame.planes), len(shapes))
                for number, shape in enumerate(shapes):
                    self.assertEqual(frame.planes[number].stride % 64, 0)
                    self.check(frame, number, dtype, shape)

    def test_an_image_of_odd_size_has_the_planes_rounded_up(self) -> None:
        frame = self.frame({"image": ["NV12", 7, 5]})
        self.assertEqual([plane.array.shape for plane in frame.planes], [(5, 7), (3, 4, 2)])

    def test_each_type_of_tensor_has_its_shape(self) -> None:
        for name, dtype in TENSORS.items():
            with self.subTest(name):
                frame = self.frame({"tensor": [[2, 3, 4], name]})
                array = frame.planes[0].array
                self.assertEqual((array.dtype, array.shape), (numpy.dtype(dtype), (2, 3, 4)))
                self.assertEqual(array.tobytes(), pattern(1, frame.format.size))
                self.assertFalse(array.flags.writeable)
        self.assertEqual(self.frame({"tensor": [[5], "float32"]}).planes[0].array.shape, (5,))

    def test_interleaved_audio_is_samples_by_channels_and_may_be_shorter(self) -> None:
        format = {"audio": [{"channels": 2, "rate": 48000, "samples": 16, "type": "int16"}]}
        array = self.frame(format).planes[0].array
        self.assertEqual((array.dtype, array.shape), (numpy.dtype("<i2"), (16, 2)))
        self.assertEqual(array.tobytes(), pattern(1, 64))
        array = self.frame(format, length=12).planes[0].array
        self.assertEqual((array.shape, array.tobytes()), ((3, 2), pattern(1, 12)))
        one = {"audio": [{"channels": 1, "rate": 8000, "samples": 4, "type": "float32"}]}
        self.assertEqual(self.frame(one).planes[0].array.shape, (4, 1))

    def test_planar_audio_has_an_array_for_each_channel(self) -> None:
        frame = self.frame({"audio": [{"channels": 3, "rate": 8000, "samples": 4, "layout": "planar"}]})
        self.assertEqual([plane.array.shape for plane in frame.planes], [(4,), (4,), (4,)])
        for number in range(3):
            raw = pattern(1, 48)[number * 16 : number * 16 + 16]
            self.assertEqual(frame.planes[number].array.tobytes(), raw)
            self.assertEqual(frame.planes[number].array.dtype, numpy.dtype("<f4"))

    def test_raw_frames_are_bytes_and_may_be_empty(self) -> None:
        for length in (5, 0, 9):
            array = self.frame({"raw": [9]}, length=length).planes[0].array
            self.assertEqual((array.dtype, array.shape), (numpy.dtype("u1"), (length,)))
            self.assertEqual(array.tobytes(), pattern(1, length))

    def test_an_array_of_a_frame_that_was_given_back_reads_zeros(self) -> None:
        frame = self.frame({"image": ["RGBA", 8, 4]})
        array = frame.planes[0].array
        self.assertEqual(array[0, 0, 0], 1)
        frame.close()
        self.assertEqual(int(array.sum()), 0)

    def test_what_is_written_to_a_loans_array_is_in_its_bytes(self) -> None:
        loan = self.loan({"image": ["NV12", 10, 6, {"strideAlignment": 64}]})
        luma, chroma = (plane.array for plane in loan.planes)
        luma[:] = 7
        chroma[1, 2] = (8, 9)
        self.assertEqual(bytes(loan.bytes[64:74]), b"\x07" * 10)
        start = loan.planes[1].offset + 64 + 4
        self.assertEqual(bytes(loan.bytes[start : start + 2]), bytes([8, 9]))


if __name__ == "__main__":
    unittest.main()
