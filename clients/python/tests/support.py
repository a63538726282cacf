"""What the tests have in common: the process that serves a stream, and Python processes that do as they are told."""

from __future__ import annotations

import atexit
import itertools
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
import unittest
from typing import Any, Callable, Dict, List, Optional

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCES = os.path.join(os.path.dirname(HERE), "src")
#: Seconds in which an answer comes, also on a machine that is ten times slower.
LIMIT = 60.0

_numbers = itertools.count()


def new_place() -> str:
    """An abstract name that no other test has."""
    return f"@dmabuf-python-{os.getpid()}-{next(_numbers)}"


def missing(test: unittest.TestCase, what: str) -> None:
    """Skips a test, and names what is missing; where CI has installed it, that is a failure."""
    if os.environ.get("CI") == "true":
        test.fail(f"Missing here: {what}")
    test.skipTest(f"Missing here: {what}")


def eventually(test: unittest.TestCase, what: str, is_so: Callable[[], bool]) -> None:
    """Waits for what another process does in its own time."""
    end = time.monotonic() + LIMIT
    while not is_so():
        if time.monotonic() > end:
            test.fail(f"It has not come so far: {what}")
        time.sleep(0.01)


class Process:
    """A process that answers lines of JSON."""

    def __init__(self, command: List[str], environment: Optional[Dict[str, str]] = None) -> None:
        #: How many answers are to come.
        self.due = 0
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **(environment or {})},
        )
        self._answers: "queue.Queue[str]" = queue.Queue()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._answers.put(line)
        self._answers.put("")

    def say(self, **command: Any) -> None:
        assert self.process.stdin is not None
        self.due += 1
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def answer(self) -> Dict[str, Any]:
        line = self._answers.get(timeout=LIMIT)
        if line == "":
            raise AssertionError(f"The process has ended: {self.process.args!r}")
        self.due -= 1
        answer: Dict[str, Any] = json.loads(line)
        return answer

    @property
    def has_answer(self) -> bool:
        return not self._answers.empty()

    def ask(self, do: str, **fields: Any) -> Dict[str, Any]:
        self.say(do=do, **fields)
        answer = self.answer()
        if "error" in answer:
            raise AssertionError(f"{do}: {answer['error']}")
        return answer

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(LIMIT)

    def end(self) -> None:
        self.process.kill()
        self.process.wait(LIMIT)
        self._thread.join(LIMIT)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    pass  # it took no more words


_server: Optional[Process] = None


def serve(test: unittest.TestCase, **options: Any) -> Process:
    """A process of Node.js that serves a stream: see server.mjs. The tests have one, one after the other."""
    global _server
    if _server is not None and (_server.due != 0 or _server.process.poll() is not None):
        _server.end()
        _server = None
    if _server is None:
        node = os.environ.get("DMABUF_NODE") or shutil.which("node")
        if node is None:
            missing(test, "node")
        _server = Process([str(node), os.path.join(HERE, "server.mjs")])
        atexit.register(_server.end)
    _server.ask("open", **options)
    return _server


def start(test: unittest.TestCase, program: str, *arguments: str) -> Process:
    """A process of Python that runs a text, with the package there. It ends with the test."""
    environment = {"PYTHONPATH": SOURCES, "PYTHONWARNINGS": "default"}
    process = Process([sys.executable, "-c", program, *arguments], environment)
    test.addCleanup(process.end)
    return process


def pattern(seed: int, length: int) -> bytes:
    """The bytes that server.mjs puts into a frame."""
    return bytes((seed + i) % 256 for i in range(length))
