"""A contributor, beside the real library."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import threading
import time
import unittest
from typing import Any, Callable, List, Set, Tuple

import dmabuf

from .support import LIMIT, Process, eventually, new_place, pattern, serve, start


class ContributorTest(unittest.TestCase):
    def open(self, **options: Any) -> Process:
        self.where = new_place()
        fields = {"format": {"raw": [1000]}, "fill": self.where, "consume": "block", **options}
        return serve(self, **fields)

    def contribute(self, **options: Any) -> dmabuf.Contributor:
        contributor = dmabuf.contribute(self.where, **options)
        self.addCleanup(contributor.close)
        return contributor

    def loan(self, contributor: dmabuf.Contributor) -> dmabuf.Loan:
        loan = contributor.loan(timeout=LIMIT)
        assert loan is not None
        return loan

    def refused(self, code: str, call: Any, *arguments: Any, **options: Any) -> dmabuf.DmaBufError:
        with self.assertRaises(dmabuf.DmaBufError) as caught:
            call(*arguments, **options)
        self.assertEqual(caught.exception.code, code, str(caught.exception))
        return caught.exception


class Loans(ContributorTest):
    def test_a_frame_is_published_with_all_that_travels_with_it(self) -> None:
        server = self.open(name="results", dataBytes=100, format={"image": ["RGBA", 8, 4]})
        contributor = self.contribute(name="a test")
        self.assertEqual((contributor.name, contributor.data_bytes, contributor.format.size), ("results", 100, 128))
        picture = dmabuf.Picture(
            duration=1.5,
            visible_rect=dmabuf.VisibleRect(0, 1, 8, 3),
            rotation=90,
            flip=False,
            color_space=dmabuf.ColorSpace(matrix="rgb", full_range=dmabuf.UNKNOWN),
        )
        with self.loan(contributor) as loan:
            self.assertFalse(loan.bytes.readonly)
            loan.bytes[:] = pattern(9, 128)
            sequence = loan.publish(timestamp=2.5, data={"boxes": [[1, 2], "ü"]}, picture=picture)
        self.assertEqual(sequence, 0)
        frame = server.ask("next")["frame"]
        self.assertEqual(frame["bytes"], list(pattern(9, 64)))
        self.assertEqual((frame["sequence"], frame["timestamp"], frame["length"]), (0, 2.5, 128))
        self.assertEqual(frame["data"], {"boxes": [[1, 2], "ü"]})
        self.assertEqual(
            frame["picture"],
            {
                "duration": 1.5,
                "visibleRect": {"x": 0, "y": 1, "width": 8, "height": 3},
                "rotation": 90,
                "flip": False,
                "colorSpace": {"matrix": "rgb", "fullRange": None},
            },
        )

    def test_many_frames_come_in_their_order(self) -> None:
        server = self.open(buffers=2)
        contributor = self.contribute()
        for i in range(50):
            with self.loan(contributor) as loan:
                loan.bytes[:] = pattern(i, 1000)
                self.assertEqual(loan.publish(length=1000 - i), i)
            frame = server.ask("next")["frame"]
            self.assertEqual((frame["sequence"], frame["length"]), (i, 1000 - i))
            self.assertEqual(frame["bytes"], list(pattern(i, 64)))

    def test_what_is_not_published_when_its_with_ends_is_dropped(self) -> None:
        server = self.open(buffers=1)
        contributor = self.contribute()
        for _ in range(5):
            with self.loan(contributor):
                pass
        with self.assertRaises(ZeroDivisionError), self.loan(contributor):
            raise ZeroDivisionError
        with self.loan(contributor) as loan:
            self.assertEqual(loan.publish(), 0)
        self.assertEqual(server.ask("next")["frame"]["sequence"], 0)
        self.refused("EBADF", loan.publish)

    def test_mistakes_leave_the_loan_and_what_the_server_refuses_takes_it(self) -> None:
        server = self.open(dataBytes=10)
        contributor = self.contribute()
        with self.loan(contributor) as loan:
            self.refused("EOVERFLOW", loan.publish, data="x" * 10)
            for wrong in ({"length": 1001}, {"timestamp": float("inf")}, {"data": float("nan")}):
                with self.assertRaises(ValueError):
                    loan.publish(**wrong)  # type: ignore[arg-type]
            for kind in ({"length": 1.5}, {"timestamp": "1"}, {"data": {1}}, {"picture": dmabuf.Picture()}):
                with self.assertRaises(TypeError):
                    loan.publish(**kind)  # type: ignore[arg-type]
            loan.bytes[0] = 77
            self.assertEqual(loan.publish(data="x" * 8), 0)
        self.assertEqual(server.ask("next")["frame"]["bytes"][0], 77)

        server = self.open(format={"image": ["RGBA", 8, 4]})
        contributor = self.contribute()
        with self.loan(contributor) as loan:
            wrong_picture = dmabuf.Picture(visible_rect=dmabuf.VisibleRect(0, 0, 9, 1))
            error = self.refused("EINVAL", loan.publish, picture=wrong_picture)
            self.assertIn("The server of the stream says: ", str(error))
            self.refused("EBADF", loan.publish)
        with self.loan(contributor) as loan:
            self.assertEqual(loan.publish(), 0)

    def test_the_end_and_the_failure_reach_the_stream(self) -> None:
        server = self.open(fillOptions={"ends": True})
        contributor = self.contribute()
        with self.loan(contributor) as loan:
            loan.publish()
        # Mostly there is a blank then that waits unread at the socket.
        try:
            early = contributor.loan(0)
            assert early is not None
            early.close()
        except dmabuf.DmaBufError as error:
            self.assertEqual(error.code, "ETIMEDOUT")
        contributor.end()
        self.assertTrue(contributor.closed)
        self.assertEqual(server.ask("next")["frame"]["sequence"], 0)
        self.assertIsNone(server.ask("next")["frame"])

        Say = Callable[[dmabuf.Contributor], None]
        failing: Tuple[Say, str] = (lambda one: one.fail("EREMOTEIO", "no power")), "EREMOTEIO"
        leaving: Tuple[Say, str] = (lambda one: one.close()), "ESRCH"
        for say, code in failing, leaving:
            server = self.open(fillOptions={"ends": True})
            say(self.contribute())
            server.say(do="next")
            self.assertEqual(server.answer()["error"]["code"], code)

    def test_a_stream_that_is_ended_by_its_owner_has_no_more_loans(self) -> None:
        server = self.open(buffers=1)
        contributor = self.contribute()
        with self.loan(contributor) as loan:
            loan.publish()
        server.ask("next", keep=True)
        codes: List[Any] = []
        thread = threading.Thread(target=lambda: codes.append(contributor.loan()))
        thread.start()
        server.ask("end")
        thread.join(LIMIT)
        self.assertEqual(codes, [None])
        self.assertIsNone(contributor.loan(LIMIT))

    def test_a_loan_is_waited_for_as_long_as_is_said(self) -> None:
        server = self.open(buffers=1)
        contributor = self.contribute()
        with self.loan(contributor) as loan:
            loan.publish()
        began = time.monotonic()
        self.refused("ETIMEDOUT", contributor.loan, 0.2)
        self.assertGreaterEqual(time.monotonic() - began, 0.2)
        server.ask("next")
        with self.loan(contributor) as loan:
            self.assertEqual(loan.publish(), 1)

    def test_of_two_threads_each_has_its_own_loans(self) -> None:
        server = self.open(buffers=2)
        contributor = self.contribute()
        sequences: List[int] = []

        def work() -> None:
            for _ in range(20):
                with self.loan(contributor) as loan:
                    loan.bytes[0] = 1
                    sequences.append(loan.publish())

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for i in range(60):
            self.assertEqual(server.ask("next")["frame"]["sequence"], i)
        for thread in threads:
            thread.join(LIMIT)
            self.assertFalse(thread.is_alive())
        self.assertEqual(sorted(sequences), list(range(60)))


class Views(ContributorTest):
    def test_what_is_written_to_views_that_were_kept_reaches_no_frame(self) -> None:
        server = self.open(buffers=1)
        contributor = self.contribute()
        kept = []
        for i in range(3):
            with self.loan(contributor) as loan:
                whole, part = loan.bytes, loan.bytes[0:10]
                part[:] = pattern(i, 10)
                loan.publish()
            with self.assertRaises(ValueError):
                whole[0] = 1
            self.assertEqual(bytes(part), bytes(10))
            part[:] = b"\xee" * 10
            kept.append(part)
            frame = server.ask("next", keep=True)["frame"]
            self.assertEqual(frame["bytes"][:10], list(pattern(i, 10)))
            for view in kept:
                view[:] = b"\xdd" * 10
            self.assertEqual(server.ask("look")["crc"], frame["crc"])
            server.ask("release")
        self.assertEqual([bytes(view) for view in kept], [b"\xdd" * 10] * 3)

    def test_the_addresses_are_used_again_where_no_view_was_kept(self) -> None:
        server = self.open()
        contributor = self.contribute()
        places: Set[str] = set()
        for _ in range(5):
            with self.loan(contributor) as loan:
                with open("/proc/self/maps") as maps:
                    places.update(line.split("-")[0] for line in maps if "memfd" in line)
                loan.publish()
            server.ask("next")
        self.assertEqual(len(places), 1)

    def test_nothing_of_the_stream_is_left_between_loans_and_after_the_close(self) -> None:
        server = self.open()
        before = sorted(os.listdir("/proc/self/fd"))
        with dmabuf.contribute(self.where) as contributor:
            with self.loan(contributor) as loan:
                with open("/proc/self/maps") as maps:
                    self.assertEqual([line.split()[1] for line in maps if "memfd" in line], ["rw-s"])
                self.assertEqual(len(os.listdir("/proc/self/fd")), len(before) + 1)
                loan.publish()
            with open("/proc/self/maps") as maps:
                self.assertNotIn("memfd", maps.read())
        self.assertEqual(sorted(os.listdir("/proc/self/fd")), before)
        server.ask("next")


class Ends(ContributorTest):
    def test_a_contributor_that_is_killed_with_a_blank_gives_it_back(self) -> None:
        server = self.open(buffers=1)
        program = """
import sys, time, dmabuf
contributor = dmabuf.contribute(sys.argv[1])
loan = contributor.loan()
loan.bytes[0] = 66
print("{}", flush=True)
time.sleep(1000)
"""
        child = start(self, program, self.where)
        child.answer()
        child.kill()
        eventually(self, "it is gone", lambda: contributors(server) == 0)
        with self.loan(self.contribute()) as loan:
            self.assertEqual(loan.publish(), 0)
        self.assertEqual(server.ask("next")["frame"]["sequence"], 0)

    def test_a_server_that_is_killed_ends_the_wait_and_the_publication(self) -> None:
        server = self.open(buffers=1)
        contributor = self.contribute()
        loan = self.loan(contributor)
        server.kill()
        loan.bytes[0] = 1
        self.refused("ECONNRESET", loan.publish)
        loan.close()
        self.refused("ECONNRESET", contributor.loan, LIMIT)

    def test_what_is_collected_is_given_back_with_a_warning(self) -> None:
        server = self.open(buffers=1)
        contributor = self.contribute()
        for _ in range(3):
            with self.assertWarnsRegex(ResourceWarning, "neither published nor given back"):
                self.loan(contributor)
                gc.collect()
        with self.loan(contributor) as loan:
            loan.publish()
        server.ask("next")
        contributor.close()
        eventually(self, "it is gone", lambda: contributors(server) == 0)
        other = dmabuf.contribute(self.where)
        with self.assertWarnsRegex(ResourceWarning, "contributor was not closed"):
            del other
            gc.collect()

    def test_a_child_of_fork_has_nothing_of_a_loan_and_does_not_keep_it_from_being_published(self) -> None:
        server = self.open(buffers=1)
        contributor = self.contribute()
        for i in range(5):
            loan = self.loan(contributor)
            part = loan.bytes[:]
            part[:] = pattern(i, 1000)
            reading, writing = os.pipe()
            child = os.fork()
            if child == 0:
                code = 1
                try:
                    os.close(writing)
                    if bytes(part) != bytes(1000):
                        raise AssertionError("the child sees the loan")
                    part[:] = bytes(1000)
                    loan.close()
                    contributor.close()
                    # It lives on while its parent publishes.
                    os.read(reading, 1)
                    code = 0
                finally:
                    os._exit(code)
            os.close(reading)
            self.assertEqual(loan.publish(), i)
            os.close(writing)
            _, status = os.waitpid(child, 0)
            self.assertEqual(os.waitstatus_to_exitcode(status), 0)
            self.assertEqual(server.ask("next")["frame"]["bytes"], list(pattern(i, 64)))

    def test_programs_that_are_started_keep_no_loan_from_being_published(self) -> None:
        server = self.open(buffers=1)
        contributor = self.contribute()
        for preparation in (None, lambda: None):
            with self.loan(contributor) as loan:
                with subprocess.Popen(["sleep", "1000"], preexec_fn=preparation, close_fds=False) as other:
                    self.addCleanup(other.kill)
                    loan.publish()
                    other.kill()
            server.ask("next")

    def test_a_signal_at_any_moment_leaves_nothing_that_waits_without_an_end(self) -> None:
        server = self.open(buffers=2)
        program = """
import signal, sys, dmabuf
class Stop(Exception):
    pass
def stop(number, frame):
    raise Stop
signal.signal(signal.SIGALRM, stop)
interrupted = 0
contributor = dmabuf.contribute(sys.argv[1])
for i in range(100):
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.00002 * (1 + i))
        with contributor.loan() as loan:
            loan.bytes[0] = 1
            loan.publish()
        signal.setitimer(signal.ITIMER_REAL, 0)
    except Stop:
        interrupted += 1
    except dmabuf.DmaBufError as error:
        signal.setitimer(signal.ITIMER_REAL, 0)
        if error.code != "EINTR":
            raise
    # All goes on, unless it was in the middle of a word.
    try:
        with contributor.loan(60) as loan:
            loan.publish()
    except dmabuf.DmaBufError as error:
        if error.code != "EINTR":
            raise
        contributor.close()
        contributor = dmabuf.contribute(sys.argv[1])
contributor.close()
print('{"interrupted": %d}' % interrupted, flush=True)
"""
        child = start(self, program, self.where)
        is_done = False
        while not is_done:
            server.say(do="next", timeout=300)
            is_done = "error" in server.answer() and (child.has_answer or child.process.poll() is not None)
        self.assertGreater(child.answer()["interrupted"], 0)


def contributors(server: Process) -> int:
    return int(server.ask("counts")["contributors"])


if __name__ == "__main__":
    unittest.main()
