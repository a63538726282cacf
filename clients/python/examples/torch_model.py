"""A model of PyTorch in the middle of a pipeline of Node.js: it finds the edges in images of NV12.

    node pipeline.mjs @camera @results 20
    python3 torch_model.py @camera @results

The model reads the frame's own memory; its result goes into the memory that Node.js reads by one `copy_`, as from any model that does
not write where it is told to.
"""

from __future__ import annotations

import sys
import warnings

import torch

import dmabuf

LAPLACE = torch.tensor([[[[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]]]])


def main(source: str, sink: str) -> None:
    # A frame's memory can only be read, of which PyTorch warns. What is done to the tensor here makes a new one.
    warnings.filterwarnings("ignore", "The given NumPy array is not writ")
    with dmabuf.view(source, name="edges") as viewer, dmabuf.contribute(sink, name="edges") as contributor:
        for frame in viewer:
            luma = torch.from_numpy(frame.planes[0].array)
            edges = torch.conv2d(luma.float()[None, None], LAPLACE, padding=1).abs().clamp(0, 255)
            loan = contributor.loan()
            if loan is None:
                break  # no one wants results any more
            with loan:
                torch.from_numpy(loan.planes[0].array).copy_(edges[0, 0])
                loan.planes[1].array[:] = 128  # no colour
                loan.publish(timestamp=frame.timestamp, data=frame.data)
        contributor.end()


if __name__ == "__main__":
    main(*sys.argv[1:])
