"""What viewers and contributors have in common: the connection to the process that serves the stream.

visitor.1. The kernel is asked for the server's user before anything is said: it is this user, root, or one of ``users``.
visitor.2. No line is taken from the socket before it is looked at, so the socket is readable when there is something to
    be done: ``fileno()`` can be given to ``select``.
visitor.3. One thread reads for all that wait. A signal's error ends a wait, and loses nothing; one that comes in the middle of a
    word, when it cannot be known what was said or heard, ends the connection with ``EINTR``.
visitor.4. What a garbage collection gives back is given back with a warning, and without a wait for a lock: the thread that has the
    lock may wait for the one that collects. What cannot be done at once is done within a second, where a thread waits.
visitor.5. A forked child has no connection of its parent's: it says nothing there, and its end does not hide the parent's.
"""

from __future__ import annotations

import array
import json
import math
import os
import select
import socket
import struct
import threading
import time
import warnings
import weakref
from collections import deque
from types import TracebackType
from typing import Any, Callable, Deque, Dict, Iterable, List, Optional, Tuple, Type, TypeVar

from . import _memory
from ._closing import Closing
from ._errors import DmaBufError, from_server, from_system

T = TypeVar("T")

VERSION = 1
DEFAULT_TIMEOUT = 5.0

_LONGEST_LINE = 64 * 1024
_MOST_DESCRIPTORS = 64
_QUEUE_PAUSE = 0.01
_LOOK_AGAIN = 1.0
_PEER = struct.Struct("3i")
_INT = struct.calcsize("i")


def deadline_after(timeout: Optional[float], call: str) -> float:
    """When a wait ends, by ``time.monotonic()``."""
    if timeout is None:
        return math.inf
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)):
        raise TypeError(f"{call}: timeout must be a number of seconds or None, not {timeout!r}")
    if not timeout >= 0:
        raise ValueError(f"{call}: timeout must be 0 or more, not {timeout!r}")
    return time.monotonic() + timeout


class _Whole:
    """What is done whole, or ends the connection (visitor.3): a signal's error may come between any two steps."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = weakref.ref(visitor)

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        visitor = self._visitor()
        if error is None or visitor is None or isinstance(error, BlockingIOError):
            return
        if isinstance(error, DmaBufError):
            visitor._fail(error)
        elif isinstance(error, OSError):
            visitor._fail(from_system(error, visitor._action))
        else:
            visitor._fail(DmaBufError("EINTR", f"{visitor._action}: a signal came in the middle of a word"))


class Visitor(Closing):
    """A connection to the process that serves a stream. Threads may share it."""

    _action = "Cannot visit the stream"
    #: Until it is connected.
    _closed = True

    def __init__(self, where: str, users: Iterable[int], deadline: float) -> None:
        # Not the condition itself, which is code in Python: a signal could come between its end and the release.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._buffer = bytearray()
        self._received: Deque[Tuple[bytes, List[Tuple[int, int, bytes]], int, Any]] = deque()
        #: Those that have come with the line that is read.
        self._descriptors: List[int] = []
        self._most_descriptors = 0
        self._whole = _Whole(self)
        self._reader: Optional[object] = None
        self._ended = False
        self._error: Optional[DmaBufError] = None
        self._forked = False
        self._process = os.getpid()
        self._lines: List[Dict[str, Any]] = []
        self._forgotten: Deque[Any] = deque()
        self._socket = _connect(where, frozenset(users), deadline, self._action)
        self._closed = False
        _visitors.add(self)

    def fileno(self) -> int:
        """The socket's descriptor: readable when there is something to be done. Raises ``EBADF`` when it is closed."""
        if self._closed or self._forked:
            raise DmaBufError("EBADF", f"{self._action}: it is closed")
        return self._socket.fileno()

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed or self._forked

    # The lines.

    def _greeting(self, hello: Dict[str, Any], deadline: float, most_descriptors: int) -> Dict[str, Any]:
        """Says hello, and takes the server's answer."""
        self._most_descriptors = most_descriptors
        self._send({name: value for name, value in hello.items() if value is not None}, deadline)
        line: Dict[str, Any] = self._wait(lambda: self._lines.pop(0) if self._lines else None, deadline, "an answer")
        if line.get("visitor") != VERSION:
            theirs = line.get("visitor")
            raise DmaBufError("EPROTO", f"{self._action}: the server speaks version {theirs!r}, and this is {VERSION}")
        return line

    def _hear(self, line: Dict[str, Any]) -> None:
        """Takes one line, with the lock held. What it raises ends the connection."""
        self._lines.append(line)

    def _wait(self, ready: Callable[[], Optional[T]], deadline: float, what: str) -> T:
        """Waits until ``ready`` has something. It is called with the lock held, and may raise."""
        me = object()
        is_late = False
        while True:
            try:
                with self._lock:
                    self._settle()
                    found = ready()
                    if found is not None:
                        return found
                    if self._error is not None:
                        raise self._error
                    self._check_open()
                    if self._ended:
                        raise DmaBufError("EPIPE", f"{self._action}: it has ended")
                    if is_late:
                        raise DmaBufError("ETIMEDOUT", f"{self._action}: {what} did not come in time")
                    left = deadline - time.monotonic()
                    if self._reader is not None:
                        is_late = left <= 0
                        self._changed.wait(max(0.0, min(left, _LOOK_AGAIN)))
                        continue
                    self._reader = me
                is_late = not self._read(left)
            finally:
                if self._reader is me:
                    self._reader = None
                    self._woke()

    def _forgot(self, thing: object) -> None:
        """A frame was collected: it is given back by this thread, or by the next that has the lock (visitor.4)."""
        self._forgotten.append(thing)
        if self._lock.acquire(blocking=False):
            try:
                self._settle()
            finally:
                self._lock.release()

    def _settle(self) -> None:
        """Gives back what was collected, with the lock held."""
        while self._forgotten:
            self._give_back(self._forgotten.popleft())

    def _give_back(self, thing: Any) -> None:
        raise NotImplementedError

    def _check_open(self) -> None:
        if self._forked:
            raise DmaBufError("EBADF", f"{self._action}: this process was forked from the one that has the connection")
        if self._closed:
            raise DmaBufError("EBADF", f"{self._action}: it is closed")

    def _woke(self) -> None:
        with self._lock:
            if self._closed:
                self._socket.close()
            self._changed.notify_all()

    def _read(self, left: float) -> bool:
        """Takes what there is, or waits for it. Whether there was something."""
        poll = select.poll()
        try:
            poll.register(self._socket, select.POLLIN)
        except ValueError:
            return True  # closed by another thread
        if not poll.poll(math.ceil(max(0.0, min(left, _LOOK_AGAIN)) * 1000)):
            return left > _LOOK_AGAIN
        with self._lock:
            if self._closed or self._ended:
                return True
            try:
                with self._whole:
                    self._take()
            except OSError:
                pass  # there was nothing, or it has ended the connection
        return True

    def _take(self) -> None:
        seen = self._socket.recv(_LONGEST_LINE + 1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        end = seen.find(b"\n") + 1
        # No more than one line: what comes behind it stays in the socket.
        with _memory.forks:
            self._receive(end or len(seen) or 1)
            if len(self._buffer) > _LONGEST_LINE:
                raise DmaBufError("EPROTO", "The server of the stream has sent too long a line")
            if not self._buffer.endswith(b"\n"):
                return
            text = bytes(self._buffer)
            self._buffer.clear()
            try:
                line = _parse(text)
                if "code" in line:
                    raise from_server(line["code"], line.get("message"))
                self._hear(line)
            finally:
                # What was not taken came unasked.
                self._close_descriptors()

    def _receive(self, length: int) -> None:
        room = socket.CMSG_SPACE(_MOST_DESCRIPTORS * _INT)
        flags = socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC
        # One step for Python: no signal comes between what was received and its place here.
        self._received.extend(map(self._socket.recvmsg, (length,), (room,), (flags,)))
        some, _, came, _ = self._received[0]
        self._file()
        if not some:
            raise DmaBufError("ECONNRESET", f"{self._action}: the process that served it is gone")
        self._buffer += some
        if came & socket.MSG_CTRUNC or len(self._descriptors) > self._most_descriptors:
            raise DmaBufError("EPROTO", "The server of the stream has sent descriptors that were not asked for")

    def _file(self) -> None:
        numbers = array.array("i")
        for _, ancillary, _, _ in self._received:
            for level, kind, data in ancillary:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    numbers.frombytes(data[: len(data) - len(data) % _INT])
        self._descriptors, self._received = [*self._descriptors, *numbers], deque()

    def _check_descriptors(self, count: int) -> None:
        """Raises ``EPROTO`` if not so many have come with the line."""
        if len(self._descriptors) != count:
            came = len(self._descriptors)
            raise DmaBufError("EPROTO", f"The server of the stream has sent {came} memory files, not {count}")

    def _close_descriptors(self) -> None:
        self._file()
        close_all(self._descriptors)

    def _send(self, line: Dict[str, Any], deadline: float) -> None:
        """Says something. With a deadline that has passed it is said at once or not at all."""
        left = memoryview(encode_line(line))
        if os.getpid() != self._process:
            raise DmaBufError("EBADF", f"{self._action}: this process was forked from the one that has the connection")
        while left.nbytes > 0:
            try:
                left = left[self._socket.send(left, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL) :]
            except BlockingIOError:
                poll = select.poll()
                poll.register(self._socket, select.POLLOUT)
                left_time = deadline - time.monotonic()
                if not poll.poll(None if left_time == math.inf else math.ceil(max(0.0, left_time) * 1000)):
                    raise DmaBufError("ETIMEDOUT", f"{self._action}: the server takes nothing") from None
            except (BrokenPipeError, ConnectionResetError):
                return  # the server has hung up, and may have said why: what is read next tells
            except OSError as error:
                raise from_system(error, self._action) from None

    # The end.

    def _fail(self, error: Optional[DmaBufError]) -> None:
        """Ends the connection, with the lock held."""
        self._ended = True
        if self._error is None:
            self._error = error
        self._hang_up()
        self._changed.notify_all()

    def _hang_up(self) -> None:
        self._close_descriptors()
        if os.getpid() != self._process:
            return  # it is the parent's
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the server was faster

    def _close(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._hang_up()
            # A thread that waits at it still has its number.
            if self._reader is None:
                self._socket.close()
            self._changed.notify_all()

    def _forget(self) -> None:
        """In a forked child: the parent's connection goes on without it."""
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._reader = None
        self._forked = True
        self._close_descriptors()
        self._socket.close()


_visitors: "weakref.WeakSet[Visitor]" = weakref.WeakSet()


def _forget_all() -> None:
    for visitor in _visitors:
        visitor._forget()


_memory.after_fork_in_child(_forget_all)


def encode_line(line: Dict[str, Any]) -> bytes:
    """Raises ``ValueError`` or ``TypeError`` for what JSON cannot carry; ``EOVERFLOW`` if it is too long for a line."""
    text = json.dumps(line, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        encoded = json.dumps(line, allow_nan=False, separators=(",", ":")).encode()
    if len(encoded) >= _LONGEST_LINE:
        most = _LONGEST_LINE
        raise DmaBufError("EOVERFLOW", f"Cannot say {len(encoded)} bytes to the server: a line has at most {most}")
    return encoded + b"\n"


def _parse(text: bytes) -> Dict[str, Any]:
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        line = None
    if not isinstance(line, dict):
        raise DmaBufError("EPROTO", "Cannot understand what the server of the stream has said")
    return line


def _connect(where: str, users: "frozenset[int]", deadline: float, action: str) -> socket.socket:
    if not isinstance(where, str) or where in ("", "@") or "\0" in where:
        raise ValueError(f'{action}: where must be a path, or "@" and a name, not {where!r}')
    address = "\0" + where[1:] if where.startswith("@") else where
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)
        while True:
            try:
                connection.connect(address)
                break
            except BlockingIOError:
                # Too many wait there already.
                if time.monotonic() > deadline:
                    raise DmaBufError("ETIMEDOUT", f"{action}: too many wait at {where}, and are not accepted") from None
                time.sleep(_QUEUE_PAUSE)
            except OSError as error:
                if error.errno is None:  # Python's own: the path is too long
                    raise ValueError(f"{action}: {error}") from None
                raise from_system(error, f"{action} at {where}") from None
        pid, uid, _ = _PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
        if uid not in users | {0, os.geteuid()}:
            raise DmaBufError("EACCES", f'{action} at {where}: user {uid} (process {pid}) is not one of "users"')
        return connection
    except BaseException:
        connection.close()
        raise


def text_in(value: object) -> str:
    """Raises ``EPROTO`` if it is no text."""
    if isinstance(value, str):
        return value
    raise DmaBufError("EPROTO", "Cannot understand the stream: it is served with words that cannot be understood")


def warn_of(message: str, source: object) -> None:
    """Warns of what was collected without being closed."""
    warnings.warn(message, ResourceWarning, stacklevel=3, source=source)


def close_all(descriptors: List[int]) -> None:
    """Closes them, and empties the list: in one step for Python, so that no signal comes in between."""
    try:
        deque(map(os.close, iter(descriptors.pop, None)), 0)
    except IndexError:
        pass  # that was all
