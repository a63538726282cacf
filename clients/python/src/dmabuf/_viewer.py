"""Reading a stream."""

from __future__ import annotations

import weakref
from typing import Any, Dict, Iterable, Iterator, List, Optional, Tuple

from ._closing import Closing
from ._errors import DmaBufError, from_server
from ._formats import FrameFormat, parse_format
from ._frames import Plane, planes_of
from ._memory import Area, Window, check_memory
from ._metadata import frame_buffer_size, read_metadata
from ._picture import Picture
from ._visitor import DEFAULT_TIMEOUT, VERSION, Visitor, close_all, deadline_after, text_in, warn_of

_MOST_BUFFERS = 32


class _Turn:
    """One frame's turn at the viewer: from the server's word until it is given back."""

    def __init__(self, place: int) -> None:
        self.place = place
        self.window: Optional[Window] = None
        #: A turn is taken while its frame lives.
        self.frame: "weakref.ref[Frame] | None" = None


class Frame(Closing):
    """A published frame, held until it is closed or its ``with`` ends. Its bytes can only be read.

    Its memory is shared with the producer, and is the next frame's once this one has been given back. A view that was kept
    is harmless: the memoryviews of ``bytes`` and ``planes`` raise ``ValueError`` then, and what was made from them, as
    arrays of NumPy and slices, reads zeros. It never sees a later frame.
    """

    _turn: Optional[_Turn] = None
    _viewer: Optional[Viewer] = None

    def __init__(self, viewer: Viewer, turn: _Turn, window: Window) -> None:
        self._viewer = viewer
        self._turn = turn
        self._window = window
        self._planes: Optional[Tuple[Plane, ...]] = None
        #: How the bytes are arranged.
        self.format: FrameFormat = viewer.format
        metadata = read_metadata(window.whole, viewer.format)
        #: Counts the stream's frames from 0; a gap means frames that this viewer has missed.
        self.sequence: int = metadata.sequence
        #: The producer's own time of the frame, in whatever unit it uses.
        self.timestamp: float = metadata.timestamp
        #: When the frame was published, in monotonic nanoseconds: ``time.monotonic_ns()`` of the same machine.
        self.published_at: int = metadata.published_at
        #: How many bytes it has.
        self.length: int = metadata.length
        #: What the producer has sent along; ``None`` if nothing.
        self.data: Any = metadata.data
        #: How the image is to be shown; ``None`` if the producer has not said it.
        self.picture: Optional[Picture] = metadata.picture
        self._bytes = window.part(0, metadata.length)

    @property
    def bytes(self) -> memoryview:
        """All bytes of the frame, in place, read-only. Raises ``EBADF`` if it was given back."""
        self._check()
        return self._bytes

    @property
    def planes(self) -> Tuple[Plane, ...]:
        """The planes, in place, read-only. Raises ``EBADF`` if the frame was given back."""
        self._check()
        if self._planes is None:
            self._planes = planes_of(self.format, self._window, self.length)
        return self._planes

    def close(self) -> None:
        """Gives the frame back. Twice does nothing."""
        turn, viewer = self._turn, self._viewer
        if turn is None or viewer is None:
            return
        self._planes = None
        viewer._give_back(turn)
        self._turn = None

    def _check(self) -> None:
        turn = self._turn
        if turn is None or turn.window is None:
            raise DmaBufError("EBADF", "Cannot use the frame: it was given back")

    def __del__(self) -> None:
        turn, viewer = self._turn, self._viewer
        if turn is None or viewer is None or turn.window is None:
            return
        self._planes = None
        viewer._forgot(turn)
        warn_of("A frame was not given back: use `with`, or close()", self)


class Viewer(Visitor):
    """A look at a stream: made by :func:`view`.

    It has one frame at a time. To iterate over it gives each frame, until the stream ends; a frame is given back when the
    loop asks for the next one.
    """

    _action = "Cannot look at the stream"
    _turn: Optional[_Turn] = None
    _files: List[int]
    _areas: List[Optional[Area]]

    def __init__(self, where: str, users: Iterable[int], deadline: float, hello: Dict[str, Any]) -> None:
        self._files = []
        self._areas = []
        super().__init__(where, users, deadline)
        try:
            line = self._greeting({"visitor": VERSION, "as": "viewer", **hello}, deadline, _MOST_BUFFERS)
            #: The stream's name.
            self.name: str = text_in(line.get("name"))
            #: The format of all of its frames.
            self.format: FrameFormat = parse_format(line.get("format"))
            #: What happens when this viewer is slower than the producer.
            self.policy: str = text_in(line.get("policy"))
            self._bytes: int = line["bytes"] if type(line.get("bytes")) is int else 0
            if self._bytes < frame_buffer_size(self.format):
                raise DmaBufError("EPROTO", f"{self._action}: no frame fits into buffers of {self._bytes} bytes")
            if not self._files or len(self._files) != line.get("buffers"):
                raise DmaBufError("EPROTO", f"{self._action}: {len(self._files)} memory files came with it")
            for file in self._files:
                check_memory(file, self._bytes)
            self._areas = [None] * len(self._files)
        except BaseException:
            self.close()
            raise

    def next(self, timeout: Optional[float] = None) -> Optional[Frame]:
        """The next frame; ``None`` once the stream has ended.

        Raises ``ETIMEDOUT`` if none has come after ``timeout`` seconds (``None``: it waits as long as it takes);
        ``ECONNRESET`` if the process that served the stream is gone; what the stream has failed with; ``EPROTO`` if the frame
        is damaged, which is given back then; ``EBADF`` if the viewer is closed.
        """
        deadline = deadline_after(timeout, "Viewer.next()")
        found = self._wait(self._next, deadline, "a frame")
        return found if isinstance(found, Frame) else None

    def __iter__(self) -> Iterator[Frame]:
        while True:
            frame = self.next()
            if frame is None:
                return
            with frame:
                yield frame

    def close(self) -> None:
        """Ends the connection: a frame is given back. A ``next()`` that waits in another thread raises ``EBADF``."""
        with self._lock:
            self._end_turn()
            self._close()
            close_all(self._files)
            self._areas = []

    def __del__(self) -> None:
        if self._closed or self._forked:
            return
        self.close()
        warn_of("A viewer was not closed: use `with`, or close()", self)

    def _next(self) -> "Frame | bool | None":
        turn = self._turn
        if turn is not None:
            if turn.frame is not None:
                if turn.frame() is None:
                    self._give_back(turn)  # before its collection has come so far
                return None  # until it has been given back
            self._check_open()
            try:
                turn.window = self._show(turn.place).window(writable=False)
                frame = Frame(self, turn, turn.window)
            except DmaBufError:
                self._give_back(turn)
                raise
            turn.frame = weakref.ref(frame)
            return frame
        return False if self._ended and self._error is None and not self._closed else None

    def _show(self, place: int) -> Area:
        area = self._areas[place]
        if area is None:
            area = Area(self._bytes)
            area.show(self._files[place], writable=False)
            self._areas[place] = area
        return area

    def _end_turn(self) -> Optional[_Turn]:
        """After it no view sees the frame's memory."""
        turn = self._turn
        if turn is None:
            return None
        window = turn.window
        if window is not None:
            turn.window = None
            if not window.end() and turn.place < len(self._areas):
                area = self._areas[turn.place]
                self._areas[turn.place] = None
                if area is not None:
                    area.hide()
        self._turn = None
        return turn

    def _give_back(self, turn: _Turn) -> None:
        with self._lock:
            if self._turn is not turn:
                return
            try:
                with self._whole:
                    self._end_turn()
                    if self._forked or self._closed or self._ended:
                        return
                    self._send({"done": True}, 0.0)
            except DmaBufError:
                pass  # the next wait tells it
            self._changed.notify_all()

    def _hear(self, line: Dict[str, Any]) -> None:
        if not self._areas:
            self._files, self._descriptors = self._descriptors, []
            self._most_descriptors = 0
            return super()._hear(line)
        place = line.get("place")
        if type(place) is int and 0 <= place < len(self._areas) and self._turn is None:
            self._turn = _Turn(place)
        elif line.get("end") is True:
            self._ended = True
        elif isinstance(line.get("failed"), dict):
            raise from_server(line["failed"].get("code"), line["failed"].get("message"))
        else:
            raise DmaBufError("EPROTO", "Cannot understand what the server of the stream has said")

    def _forget(self) -> None:
        super()._forget()
        close_all(self._files)


def view(
    where: str,
    *,
    policy: Optional[str] = None,
    group: Optional[str] = None,
    name: Optional[str] = None,
    timeout: Optional[float] = DEFAULT_TIMEOUT,
    users: Iterable[int] = (),
) -> Viewer:
    """Begins to look at the stream that is served at a path, or at "@" and an abstract name.

    ``policy`` says what happens when this viewer is slower than the producer: ``"newest"``, ``"drop-oldest"`` or
    ``"block"``; ``group`` is the name of a group that shares the frames. What is left out is the server's own; the server says
    which may be asked for. ``name`` is for people. ``timeout`` is how many seconds it waits for an answer. ``users`` are the
    numbers of the users whose stream it may be, beside this user and root.

    Raises ``ECONNREFUSED`` or ``ENOENT`` if no process serves anything there; ``EACCES`` if this user may not look, or not so,
    or if the server's user is not among ``users``; ``ENOSPC`` if there are too many viewers; ``ETIMEDOUT`` if no answer comes
    in time; ``EPROTO`` if this is no stream, or one that does not fit its memory.
    """
    hello = {"policy": policy, "group": group, "name": name}
    return Viewer(where, users, deadline_after(timeout, "view()"), hello)
