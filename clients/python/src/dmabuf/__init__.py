"""Frames of dmabuf's streams, without a copy: read them with :func:`view`, fill them with :func:`contribute`."""

from __future__ import annotations

from ._contributor import Contributor, Loan, contribute
from ._errors import DmaBufError
from ._formats import FrameFormat, PlaneFormat
from ._frames import Plane
from ._picture import UNKNOWN, ColorSpace, Picture, VisibleRect
from ._viewer import Frame, Viewer, view

__version__ = "0.1.0"

__all__ = [
    "UNKNOWN",
    "ColorSpace",
    "Contributor",
    "DmaBufError",
    "Frame",
    "FrameFormat",
    "Loan",
    "Picture",
    "Plane",
    "PlaneFormat",
    "Viewer",
    "VisibleRect",
    "contribute",
    "view",
]
