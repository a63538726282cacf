"""The one error of this package."""

from __future__ import annotations

import errno
import re
from typing import Any, Tuple

_NAME = re.compile(r"E[A-Z0-9]+")
# Numbers for which Python has another name first.
_OWN_NAMES = {errno.EOPNOTSUPP: "EOPNOTSUPP", errno.EDEADLK: "EDEADLK", errno.EAGAIN: "EAGAIN"}
_LONGEST_PRINTED = 500


class DmaBufError(OSError):
    """What fails at run time. Match on ``code``, never on the text.

    ``code`` is an errno name, as ``"ETIMEDOUT"``; ``errno`` is its number.
    """

    #: An errno name.
    code: str

    def __init__(self, code: str, message: str) -> None:
        super().__init__(getattr(errno, code, errno.EIO), message)
        self.code = code

    def __str__(self) -> str:
        return f"{self.code}: {self.strerror}"

    def __reduce__(self) -> Tuple[Any, ...]:
        return (DmaBufError, (self.code, str(self.strerror)))


def is_code(code: object) -> bool:
    """Whether it is the name of an error number here."""
    return isinstance(code, str) and _NAME.fullmatch(code) is not None and hasattr(errno, code)


def from_system(error: OSError, action: str) -> DmaBufError:
    """What a system call has failed with."""
    number = error.errno or errno.EIO
    code = _OWN_NAMES.get(number, errno.errorcode.get(number, "EIO"))
    return DmaBufError(code, f"{action}: {error.strerror or error}")


def from_server(code: object, message: object) -> DmaBufError:
    """What the server has refused with: its words, which are said to be its own."""
    known = is_code(code)
    unknown = "" if known else f', with the unknown code "{printable(code)}"'
    return DmaBufError(str(code) if known else "EIO", f"The server of the stream says{unknown}: {printable(message)}")


def printable(value: object) -> str:
    """What the other side has sent, for a message: short, on one line, and without characters that a terminal obeys."""
    text = value if isinstance(value, str) else repr(value)
    shown = "".join(letter if letter.isprintable() else " " for letter in text[:_LONGEST_PRINTED])
    return shown + "…" if len(text) > _LONGEST_PRINTED else shown
