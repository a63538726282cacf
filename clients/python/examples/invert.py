"""A filter in the middle of a pipeline of Node.js: it reads a stream of images, and fills another one with their negatives.

    node pipeline.mjs @camera @results 20
    python3 invert.py @camera @results

No frame is copied on its way: NumPy reads from the memory that Node.js has written, and writes into that which Node.js reads.
"""

from __future__ import annotations

import sys

import numpy

import dmabuf


def main(source: str, sink: str) -> None:
    with dmabuf.view(source, name="invert") as viewer, dmabuf.contribute(sink, name="invert") as contributor:
        for frame in viewer:
            loan = contributor.loan()
            if loan is None:
                break  # no one wants results any more
            with loan:
                for plane, result in zip(frame.planes, loan.planes):
                    numpy.subtract(255, plane.array, out=result.array)
                loan.publish(timestamp=frame.timestamp, data=frame.data)
        contributor.end()


if __name__ == "__main__":
    main(*sys.argv[1:])
