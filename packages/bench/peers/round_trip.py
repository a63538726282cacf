"""The Python side of the measure "python": it answers each frame with one of the same size.

The first and the last byte of a frame are its number. They are checked, and written to the answer.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any, Dict, List


def check(frame: Any) -> int:
    if frame[0] != frame[-1]:
        raise RuntimeError("a frame came torn")
    return int(frame[0])


def mark(frame: Any, number: int) -> None:
    frame[0] = frame[-1] = number


def visitors(size: int, plan: Dict[str, int], source: str, sink: str) -> None:
    import dmabuf

    with dmabuf.view(source) as viewer, dmabuf.contribute(sink) as contributor:
        while True:
            # Before there is a frame: it need not wait for it.
            with contributor.loan() as loan:
                frame = viewer.next()
                if frame is None:
                    return
                with frame:
                    mark(loan.bytes, check(frame.bytes))
                loan.publish()


def pipe(size: int, plan: Dict[str, int]) -> None:
    frame, result = bytearray(size), memoryview(bytearray(size))
    while True:
        rest = memoryview(frame)
        while rest:
            came = os.readv(0, [rest])
            if not came:
                return
            rest = rest[came:]
        mark(result, check(frame))
        rest = result
        while rest:
            rest = rest[os.write(1, rest) :]


def shared_memory(size: int, plan: Dict[str, int]) -> None:
    from multiprocessing.shared_memory import SharedMemory

    there, back = SharedMemory(create=True, size=size), SharedMemory(create=True, size=size)
    try:
        os.write(1, json.dumps([there.name, back.name]).encode())
        frame, result = there.buf[:size], back.buf[:size]
        while os.read(0, 1):
            mark(result, check(frame))
            os.write(1, b"\n")
        frame.release()
        result.release()
    finally:
        for memory in (there, back):
            memory.close()
            memory.unlink()


def zeromq(size: int, plan: Dict[str, int]) -> None:
    import zmq

    place = f"ipc:///tmp/dmabuf-bench-{os.getpid()}"
    total = plan["samples"] + plan["warm"]
    if os.fork() == 0:
        context = zmq.Context()
        socket = context.socket(zmq.PAIR)
        socket.connect(place)
        result = bytearray(size)
        for _ in range(total):
            mark(result, check(socket.recv(copy=False).buffer))
            socket.send(result, copy=False)
        # It has sent all when the context has ended.
        context.destroy(linger=-1)
        os._exit(0)
    socket = zmq.Context().socket(zmq.PAIR)
    socket.bind(place)
    frame = bytearray(size)
    times: List[int] = []
    for i in range(total):
        began = time.perf_counter_ns()
        mark(frame, i & 0xFF)
        socket.send(frame, copy=False)
        if check(socket.recv(copy=False).buffer) != i & 0xFF:
            raise RuntimeError("an answer came to another frame")
        times.append(time.perf_counter_ns() - began)
    os.wait()
    times = sorted(times[plan["warm"] :])
    count = len(times)
    figures = {"best": times[0], "p50": times[count // 2], "p99": times[count * 99 // 100], "samples": count}
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    ways = {"visitors": visitors, "pipe": pipe, "shared-memory": shared_memory, "zeromq": zeromq}
    ways[sys.argv[1]](int(sys.argv[2]), json.loads(sys.argv[3]), *sys.argv[4:])
