"""Shared memory at addresses of our own, so that a view that was kept too long neither crashes nor reaches it.

memory.1. An area is a range of addresses that Python's own ``mmap`` object has reserved. Shared memory is laid over it, and
    taken away by laying memory without a file over that: at no moment is there nothing at its addresses.
memory.2. All views of a frame are made from one object, the frame's exporter. Once it is gone there is no view left, and the
    area can be used for another frame. An area whose views were kept is used for no other one: they see zeros, and what is
    written through them is seen by no one.
memory.3. A forked child has no shared memory of its parent's. What is lent to write has no copy there when ``os.fork()`` is over
    in the parent; a child that executes another program never has one.
"""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import select
import threading
import weakref
from typing import Any, Callable, List, Optional, Tuple

from ._errors import DmaBufError, from_system

_libc = ctypes.CDLL(None, use_errno=True)
_map = _libc.mmap
_map.restype = ctypes.c_void_p
_map.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
_advise = _libc.madvise
_advise.restype = ctypes.c_int
_advise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]

_MAP_FIXED = 0x10
_MAP_NORESERVE = 0x4000
_MAP_POPULATE = getattr(mmap, "MAP_POPULATE", 0x8000)
_MADV_DONTFORK = 10
_MADV_DOFORK = 11
_MAP_FAILED = ctypes.c_void_p(-1).value

_GET_SEALS = 1034
#: No process can shrink it, or grow it.
_FIXED_LENGTH = 0x2 | 0x4

#: Held while a lent descriptor is open, and across a fork: no forked child has such a descriptor. Its holder waits for no
#: other lock.
forks = threading.RLock()

#: The child closes its pipe when it has no lent memory any more.
_CHILD_LIMIT = 5_000

_areas: "weakref.WeakSet[Area]" = weakref.WeakSet()
_in_child: List[Callable[[], None]] = []


class Area:
    """A range of addresses, over which shared memory is laid."""

    def __init__(self, length: int) -> None:
        self.length = length
        self._reserved = mmap.mmap(-1, length, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._address = ctypes.addressof(ctypes.c_char.from_buffer(self._reserved))
        self._type = ctypes.c_ubyte * length
        self.is_shown = False
        self.is_lent = False
        _areas.add(self)

    def show(self, fd: int, writable: bool) -> None:
        """Lays a memory file over it. Raises ``DmaBufError`` as of the kernel's ``mmap``."""
        protection = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
        # Said before: a signal may interrupt what comes after.
        self.is_shown, self.is_lent = True, writable
        self._lay(protection, mmap.MAP_SHARED | _MAP_POPULATE, fd)
        if writable:
            self.advise(_MADV_DONTFORK)

    def hide(self) -> None:
        """Takes the memory file away. Twice does nothing."""
        if not self.is_shown:
            return
        private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_NORESERVE
        with forks:
            self._lay(mmap.PROT_READ | mmap.PROT_WRITE, private, -1)
            self.is_shown = self.is_lent = False

    def advise(self, advice: int) -> None:
        _advise(self._address, self.length, advice)

    def window(self, writable: bool) -> Window:
        return Window(self._type.from_buffer(self._reserved), writable)

    def _lay(self, protection: int, flags: int, fd: int) -> None:
        if _map(self._address, self.length, protection, flags | _MAP_FIXED, fd, 0) == _MAP_FAILED:
            number = ctypes.get_errno()
            raise from_system(OSError(number, os.strerror(number)), "Cannot map the stream's memory")


class Window:
    """The views of one frame."""

    def __init__(self, exporter: Any, writable: bool) -> None:
        self._exporter = weakref.ref(exporter)
        whole = memoryview(exporter).cast("B")
        self.whole = whole if writable else whole.toreadonly()
        self._given: List[memoryview] = [self.whole]

    def part(self, start: int, end: int) -> memoryview:
        view = self.whole[start:end]
        self._given.append(view)
        return view

    def end(self) -> bool:
        """Ends the views that were handed out. Whether none is left that was made from them."""
        for view in self._given:
            try:
                view.release()
            except BufferError:
                pass  # something uses it: the memory under it is taken away instead
        self._given.clear()
        del self.whole
        return self._exporter() is None


def check_memory(fd: int, length: int) -> None:
    """Raises ``DmaBufError`` ``EPROTO`` if it is no memory file of sealed length, so long: its owner could cut it."""
    try:
        sealed = fcntl.fcntl(fd, _GET_SEALS) & _FIXED_LENGTH == _FIXED_LENGTH
    except OSError:
        sealed = False
    if not sealed:
        raise DmaBufError("EPROTO", "Cannot take what was sent as memory: its length is not sealed")
    if os.fstat(fd).st_size < length:
        raise DmaBufError("EPROTO", "Cannot take what was sent as memory: no frame of the stream fits into it")


def after_fork_in_child(forget: Callable[[], None]) -> None:
    """Adds what a forked child does, once its memory is its own."""
    _in_child.append(forget)


_pipe: Optional[Tuple[int, int]] = None


def _before_fork() -> None:
    global _pipe
    forks.acquire()
    lent = [area for area in _areas if area.is_lent]
    if not lent:
        return
    # The child must find its copy where it is, to lay something else over it.
    for area in lent:
        area.advise(_MADV_DOFORK)
    _pipe = os.pipe()


def _after_fork_in_parent() -> None:
    global _pipe
    try:
        for area in _areas:
            if area.is_lent:
                area.advise(_MADV_DONTFORK)
        if _pipe is not None:
            reading, writing = _pipe
            _pipe = None
            os.close(writing)
            poll = select.poll()
            poll.register(reading, select.POLLIN)
            poll.poll(_CHILD_LIMIT)
            os.close(reading)
    finally:
        forks.release()


def _after_fork_in_child() -> None:
    global _pipe
    try:
        for area in _areas:
            area.hide()
        for forget in _in_child:
            forget()
    finally:
        if _pipe is not None:
            for end in _pipe:
                os.close(end)
            _pipe = None
        forks.release()


os.register_at_fork(
    before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child
)
