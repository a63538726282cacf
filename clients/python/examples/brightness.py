"""Looks at a stream of images, and says how bright each of its frames is.

    python3 brightness.py @camera
"""

from __future__ import annotations

import sys

import dmabuf


def main(where: str) -> None:
    with dmabuf.view(where, name="brightness") as viewer:
        form = viewer.format
        print(f"{viewer.name}: {form.pixel_format}, {form.width} x {form.height}", flush=True)
        for frame in viewer:
            brightness = float(frame.planes[0].array.mean())
            print(f"frame {frame.sequence}: {brightness:.1f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
