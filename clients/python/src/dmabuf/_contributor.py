"""Filling a stream."""

from __future__ import annotations

import fcntl
import json
import math
import os
import time
import weakref
from typing import Any, Dict, Iterable, NamedTuple, Optional, Tuple

from ._closing import Closing
from ._errors import DmaBufError, from_server, is_code
from ._formats import FrameFormat, parse_format
from ._frames import Plane, planes_of
from ._memory import Area, Window, check_memory
from ._metadata import frame_buffer_size
from ._picture import Picture, encode_picture
from ._visitor import DEFAULT_TIMEOUT, VERSION, Visitor, deadline_after, encode_line, text_in, warn_of

_MOST_BUFFERS = 32


class _Answer(NamedTuple):
    """What the server has said to a publication."""

    sequence: int
    error: Optional[DmaBufError] = None


class _Blank:
    """A place of the ring that is lent: until it is published or dropped."""

    def __init__(self, area: Area) -> None:
        self.area = area
        self.window: Optional[Window] = area.window(writable=True)
        #: A blank is taken while its loan lives.
        self.loan: "weakref.ref[Loan] | None" = None
        #: What the server has said to its publication.
        self.answer: Optional[_Answer] = None


class Loan(Closing):
    """A frame to be filled, until it is published, closed, or its ``with`` ends.

    Its memory is the stream's. Afterwards a view that was kept is harmless: the memoryviews of ``bytes`` and ``planes`` raise
    ``ValueError``, and what was made from them, as arrays of NumPy and slices, is memory of this process alone, zeros at first.
    """

    _blank: Optional[_Blank] = None
    _contributor: Optional[Contributor] = None

    def __init__(self, contributor: Contributor, blank: _Blank, window: Window) -> None:
        self._contributor = contributor
        self._blank = blank
        self._window = window
        self._planes: Optional[Tuple[Plane, ...]] = None
        #: How the bytes are arranged.
        self.format: FrameFormat = contributor.format
        self._bytes = window.part(0, contributor.format.size)

    @property
    def bytes(self) -> memoryview:
        """All bytes of the frame, in place, to be written. Raises ``EBADF`` if it was published or given back."""
        self._check()
        return self._bytes

    @property
    def planes(self) -> Tuple[Plane, ...]:
        """The planes, in place, to be written. Raises ``EBADF`` if the frame was published or given back."""
        self._check()
        if self._planes is None:
            self._planes = planes_of(self.format, self._window, self.format.size)
        return self._planes

    def publish(
        self,
        *,
        timestamp: Optional[float] = None,
        data: Any = None,
        length: Optional[int] = None,
        picture: Optional[Picture] = None,
        timeout: Optional[float] = None,
    ) -> int:
        """Hands the frame to the consumers, and returns its sequence number.

        ``timestamp`` is the producer's own time, in whatever unit; by default the time of publication in monotonic
        nanoseconds. ``data`` is anything small that JSON can carry. ``length`` is how many bytes the frame has, where frames of
        the format may be shorter. ``picture`` says how an image is to be shown. ``timeout`` is how many seconds the server has
        for an answer; by default as many as :func:`contribute` was given.

        Raises ``EOVERFLOW`` if the data are too long, and ``TypeError`` or ``ValueError`` for what cannot be published so: the
        loan stays then. Raises what the server refuses with: the frame is given back unpublished then. ``EBUSY`` means that
        something of this process can still write to it, as a child that was forked by other means than ``os.fork()``; the
        connection is lost then. Raises ``ETIMEDOUT`` if no answer comes in time: the frame may be published or not. Raises
        ``EBADF`` if it was published or given back.
        """
        contributor, blank = self._contributor, self._blank
        if contributor is None or blank is None:
            raise DmaBufError("EBADF", "Cannot publish the frame: it was published or given back")
        fields = _checked(contributor, timestamp, data, length, picture)
        deadline = deadline_after(contributor._timeout if timeout is None else timeout, "Loan.publish()")
        self._planes = None
        return contributor._publish(blank, fields, deadline)

    def close(self) -> None:
        """Gives the frame back without publishing it. Does nothing if that was done, or if it was published."""
        if self._blank is not None and self._contributor is not None:
            self._planes = None
            self._contributor._give_back(self._blank)

    def _check(self) -> None:
        if self._blank is None or self._blank.window is None:
            raise DmaBufError("EBADF", "Cannot use the frame: it was published or given back")

    def __del__(self) -> None:
        blank, contributor = self._blank, self._contributor
        if blank is None or contributor is None or blank.window is None:
            return
        self._planes = None
        contributor._forgot(blank)
        warn_of("A loan was neither published nor given back: use `with`, or close()", self)


class Contributor(Visitor):
    """One that fills a stream: made by :func:`contribute`. It has one loan at a time."""

    _action = "Cannot fill the stream"
    _blank: Optional[_Blank] = None
    _area: Optional[Area] = None
    _asked = False
    _greeted = False
    #: Published or dropped, and not yet answered.
    _told: Optional[_Blank] = None

    def __init__(self, where: str, users: Iterable[int], timeout: Optional[float], hello: Dict[str, Any]) -> None:
        deadline = deadline_after(timeout, "contribute()")
        self._timeout = timeout
        super().__init__(where, users, deadline)
        try:
            line = self._greeting({"visitor": VERSION, "as": "contributor", **hello}, deadline, 0)
            #: The stream's name.
            self.name: str = text_in(line.get("name"))
            #: The format of all of its frames.
            self.format: FrameFormat = parse_format(line.get("format"))
            #: How many bytes of JSON a frame may carry.
            self.data_bytes: int = _count(line.get("dataBytes"))
            self._bytes = _count(line.get("bytes"))
            if self._bytes < frame_buffer_size(self.format) + self.data_bytes:
                raise DmaBufError("EPROTO", f"{self._action}: no frame fits into buffers of {self._bytes} bytes")
            self._greeted = True
        except BaseException:
            self.close()
            raise

    def loan(self, timeout: Optional[float] = None) -> Optional[Loan]:
        """A frame to be filled; ``None`` once the stream has been ended by its owner.

        Raises ``ETIMEDOUT`` if there was none for ``timeout`` seconds (``None``: it waits as long as it takes); ``ECONNRESET`` if
        the process that served the stream is gone; what the server refuses with; ``EBADF`` if the contributor is closed.

        After ``ETIMEDOUT`` the request goes on: what comes makes ``fileno()`` readable, and is kept for the next call. Close the
        contributor if there is none to come.
        """
        deadline = deadline_after(timeout, "Contributor.loan()")
        found = self._wait(self._next, deadline, "a blank")
        return found if isinstance(found, Loan) else None

    def end(self) -> None:
        """Says that this contributor has finished, and closes it. Whether the stream ends with it, its owner has decided."""
        self._finish({"end": True})

    def fail(self, code: str, message: str) -> None:
        """Says that this contributor has failed, and closes it. ``code`` is an errno name, as ``"EIO"``."""
        if not is_code(code):
            raise ValueError(f"Contributor.fail(): code must be an errno name, not {code!r}")
        self._finish({"fail": {"code": code, "message": message}})

    def close(self) -> None:
        """Ends the connection: a loan is given back. A ``loan()`` that waits in another thread raises ``EBADF``."""
        with self._lock:
            self._end_blank()
            self._close()
            self._area = None

    def __del__(self) -> None:
        if self._closed or self._forked:
            return
        self.close()
        warn_of("A contributor was not closed: use `with`, or close()", self)

    def _next(self) -> "Loan | bool | None":
        self._check_open()
        blank = self._blank
        if blank is not None:
            if blank.loan is not None:
                if blank.loan() is None:
                    self._give_back(blank)  # before its collection has come so far
                return None  # until it has been published or given back
            if blank.window is not None:
                loan = Loan(self, blank, blank.window)
                blank.loan = weakref.ref(loan)
                return loan
        if self._ended:
            return False if self._error is None else None
        if not self._asked and self._told is None:
            with self._whole:
                self._send({"loan": True}, 0.0)
                self._asked = True
        return None

    def _publish(self, blank: _Blank, fields: Dict[str, Any], deadline: float) -> int:
        with self._lock:
            self._check_open()
            if self._blank is not blank:
                raise DmaBufError("EBADF", "Cannot publish the frame: it was published or given back")
            encode_line({"publish": fields})
            self._tell({"publish": fields}, deadline)
        answer = self._wait(lambda: blank.answer, deadline, "an answer")
        if answer.error is not None:
            raise answer.error
        return answer.sequence

    def _give_back(self, blank: _Blank) -> None:
        with self._lock:
            if self._blank is not blank:
                return
            if self._forked or self._closed or self._ended:
                self._end_blank()
                return
            try:
                self._tell({"drop": True}, 0.0)
            except DmaBufError:
                pass  # the next wait tells it

    def _tell(self, line: Dict[str, Any], deadline: float) -> None:
        """Takes the memory away from the loan, and says what is to become of it."""
        with self._whole:
            blank = self._end_blank()
            self._send(line, deadline)
            self._told = blank
            self._changed.notify_all()

    def _end_blank(self) -> Optional[_Blank]:
        """After it nothing of this process has the frame's memory."""
        blank = self._blank
        if blank is None:
            return None
        window, blank.window = blank.window, None
        is_unused = window is None or window.end()
        blank.area.hide()
        # An area of which views were kept is theirs alone.
        if not is_unused:
            self._area = None
        self._blank = None
        return blank

    def _fail(self, error: Optional[DmaBufError]) -> None:
        super()._fail(error)
        # What has come so far and is no loan yet.
        if self._blank is None and self._area is not None:
            self._area.hide()

    def _finish(self, line: Dict[str, Any]) -> None:
        deadline = deadline_after(self._timeout, "Contributor.end()")
        with self._lock:
            self._check_open()
            if self._error is not None:
                raise self._error
            self._end_blank()
            if not self._ended:
                self._send(line, deadline)
                self._ended = True
        self._drain(deadline)
        self.close()

    def _drain(self, deadline: float) -> None:
        """Until the server has hung up: words that wait unread at the end of a socket take back what was said last."""
        self._socket.settimeout(None if deadline == math.inf else max(0.001, deadline - time.monotonic()))
        try:
            while self._socket.recv(4096):
                pass
        except OSError:
            pass

    def _hear(self, line: Dict[str, Any]) -> None:
        if not self._greeted:
            self._most_descriptors = 1
            return super()._hear(line)
        if "blank" in line:
            place = line["blank"]
            is_due = self._asked and self._blank is None
            if type(place) is not int or not 0 <= place < _MOST_BUFFERS or not is_due:
                raise _not_understood()
            self._check_descriptors(1)
            (file,) = self._descriptors
            check_memory(file, self._bytes)
            if fcntl.fcntl(file, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDWR:
                raise DmaBufError("EPROTO", f"{self._action}: it cannot write to what it was lent")
            area = self._area = self._area or Area(self._bytes)
            area.show(file, writable=True)
            # While it is open the frame cannot be published.
            self._close_descriptors()
            self._asked = False
            self._blank = _Blank(area)
        elif line.get("end") is True:
            self._ended = True
        elif self._told is not None and ("published" in line or "refused" in line or line.get("dropped") is True):
            self._told.answer = _answer(line)
            self._told = None
        else:
            raise _not_understood()


def contribute(
    where: str,
    *,
    name: Optional[str] = None,
    timeout: Optional[float] = DEFAULT_TIMEOUT,
    users: Iterable[int] = (),
) -> Contributor:
    """Begins to fill the stream for which contributors are served at a path, or at "@" and an abstract name.

    ``name`` is for people. ``timeout`` is how many seconds the server has for an answer, here and to a publication. ``users``
    are the numbers of the users whose stream it may be, beside this user and root.

    Raises ``ECONNREFUSED`` or ``ENOENT`` if no process serves anything there; ``EACCES`` if this user may not fill it, or if the
    server's user is not among ``users``; ``ENOSPC`` if there are too many contributors; ``ETIMEDOUT`` if no answer comes in
    time; ``EPROTO`` if this is no such stream.
    """
    return Contributor(where, users, timeout, {"name": name})


def _checked(
    contributor: Contributor, timestamp: Optional[float], data: Any, length: Optional[int], picture: Optional[Picture]
) -> Dict[str, Any]:
    """A publication as the protocol has it."""
    form = contributor.format
    fields: Dict[str, Any] = {}
    if timestamp is not None:
        if isinstance(timestamp, bool) or not isinstance(timestamp, (int, float)):
            raise TypeError(f"Loan.publish(): timestamp must be a finite number, not {timestamp!r}")
        if not math.isfinite(timestamp):
            raise ValueError(f"Loan.publish(): timestamp must be a finite number, not {timestamp!r}")
        fields["timestamp"] = timestamp
    if length is not None:
        if type(length) is not int:
            raise TypeError(f"Loan.publish(): length must be an integer, not {length!r}")
        if not form.has_length(length):
            raise ValueError(f"Loan.publish(): frames of this format cannot have {length} bytes")
        fields["length"] = length
    if picture is not None:
        if not isinstance(picture, Picture):
            raise TypeError(f"Loan.publish(): picture must be a Picture, not {picture!r}")
        if form.kind != "image":
            raise TypeError(f'Loan.publish(): picture must be left out: frames of kind "{form.kind}" are no images')
        fields["picture"] = encode_picture(picture)
    if data is not None:
        text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        size = len(text.encode(errors="replace"))
        if size > contributor.data_bytes:
            most = contributor.data_bytes
            raise DmaBufError("EOVERFLOW", f"Cannot publish the frame: its data have {size} bytes, {most} are allowed")
        fields["data"] = data
    return fields


def _answer(line: Dict[str, Any]) -> _Answer:
    refused = line.get("refused")
    if isinstance(refused, dict):
        return _Answer(0, from_server(refused.get("code"), refused.get("message")))
    return _Answer(0 if line.get("dropped") is True else _count(line.get("published")))


def _count(value: object) -> int:
    if type(value) is int and 0 <= value < 2**53:
        return value
    raise DmaBufError("EPROTO", "Cannot understand the stream: it is served with words that cannot be understood")


def _not_understood() -> DmaBufError:
    return DmaBufError("EPROTO", "Cannot understand what the server of the stream has said")
