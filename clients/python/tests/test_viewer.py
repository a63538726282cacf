"""A viewer, beside the real library."""

from __future__ import annotations

import ctypes
import gc
import os
import select
import signal
import socket
import threading
import time
import unittest
from typing import Any, List

import dmabuf

from .support import LIMIT, Process, eventually, new_place, pattern, serve, start


class ViewerTest(unittest.TestCase):
    def open(self, **options: Any) -> Process:
        self.where = new_place()
        fields = {"format": {"raw": [1000]}, "look": self.where, **options}
        return serve(self, **fields)

    def view(self, **options: Any) -> dmabuf.Viewer:
        viewer = dmabuf.view(self.where, **options)
        self.addCleanup(viewer.close)
        return viewer

    def take(self, viewer: dmabuf.Viewer) -> dmabuf.Frame:
        frame = viewer.next(timeout=LIMIT)
        assert frame is not None
        return frame

    def refused(self, code: str, call: Any, *arguments: Any, **options: Any) -> dmabuf.DmaBufError:
        with self.assertRaises(dmabuf.DmaBufError) as caught:
            call(*arguments, **options)
        self.assertEqual(caught.exception.code, code, str(caught.exception))
        return caught.exception


class Frames(ViewerTest):
    def test_a_frame_has_its_bytes_and_all_that_travels_with_it(self) -> None:
        server = self.open(name="camera", dataBytes=200)
        viewer = self.view()
        self.assertEqual((viewer.name, viewer.format.kind, viewer.format.size), ("camera", "raw", 1000))
        before = time.monotonic_ns()
        server.ask("produce", seed=3, publish={"timestamp": 0.25, "data": {"exposure": [8, "ü", None]}})
        with self.take(viewer) as frame:
            self.assertEqual((frame.sequence, frame.timestamp, frame.length), (0, 0.25, 1000))
            self.assertEqual(frame.data, {"exposure": [8, "ü", None]})
            self.assertIsNone(frame.picture)
            self.assertTrue(before <= frame.published_at <= time.monotonic_ns())
            self.assertEqual(bytes(frame.bytes), pattern(3, 1000))
            self.assertTrue(frame.bytes.readonly)
        server.ask("produce", seed=4)
        with self.take(viewer) as frame:
            self.assertEqual((frame.sequence, frame.data), (1, None))
            self.assertEqual(frame.timestamp, frame.published_at)

    def test_a_frame_may_be_shorter_than_its_format_and_empty(self) -> None:
        server = self.open()
        viewer = self.view()
        for length in (10, 0, 1000):
            server.ask("produce", seed=1, publish={"length": length})
            with self.take(viewer) as frame:
                self.assertEqual(bytes(frame.bytes), pattern(1, length))
                (plane,) = frame.planes
                self.assertEqual((plane.width, plane.stride, bytes(plane.bytes)), (length, length, pattern(1, length)))

    def test_a_picture_has_all_of_its_fields(self) -> None:
        server = self.open(format={"image": ["RGBA", 8, 6]})
        viewer = self.view()
        picture = {
            "duration": 40.5,
            "visibleRect": {"x": 1, "y": 2, "width": 7, "height": 4},
            "displayWidth": 16,
            "displayHeight": 12,
            "rotation": 270,
            "flip": True,
            "colorSpace": {"primaries": "bt2020", "transfer": "pq", "matrix": None, "fullRange": False},
        }
        server.ask("produce", seed=0, publish={"picture": picture})
        with self.take(viewer) as frame:
            self.assertEqual(
                frame.picture,
                dmabuf.Picture(
                    duration=40.5,
                    visible_rect=dmabuf.VisibleRect(1, 2, 7, 4),
                    display_width=16,
                    display_height=12,
                    rotation=270,
                    flip=True,
                    color_space=dmabuf.ColorSpace("bt2020", "pq", dmabuf.UNKNOWN, False),
                ),
            )
        server.ask("produce", seed=0, publish={"picture": {"flip": False}})
        with self.take(viewer) as frame:
            self.assertEqual(frame.picture, dmabuf.Picture(flip=False))

    def test_the_loop_has_each_frame_until_the_stream_ends(self) -> None:
        server = self.open(lookOptions={"policy": "block"})
        viewer = self.view()
        seen: List[int] = []
        server.ask("produce", seed=0)
        for frame in viewer:
            self.assertEqual(bytes(frame.bytes), pattern(frame.sequence, 1000))
            seen.append(frame.sequence)
            if frame.sequence < 20:
                server.ask("produce", seed=frame.sequence + 1)
            else:
                server.ask("end")
        self.assertEqual(seen, list(range(21)))
        self.assertIsNone(viewer.next(timeout=LIMIT))

    def test_a_loop_that_is_left_gives_its_frame_back(self) -> None:
        server = self.open(buffers=2)
        viewer = self.view()
        server.ask("produce", seed=0)
        for frame in viewer:
            break
        self.refused("EBADF", lambda: frame.bytes)
        server.ask("produce", seed=1)
        with self.take(viewer) as frame:
            self.assertEqual(frame.sequence, 1)

    def test_a_stream_that_fails_says_with_what(self) -> None:
        server = self.open()
        viewer = self.view()
        server.ask("fail", code="EREMOTEIO")
        error = self.refused("EREMOTEIO", viewer.next, LIMIT)
        self.assertIsInstance(error, OSError)
        self.refused("EREMOTEIO", viewer.next, LIMIT)


class Views(ViewerTest):
    def test_the_views_of_a_frame_that_was_given_back_see_nothing_of_a_later_one(self) -> None:
        server = self.open(buffers=1)
        viewer = self.view()
        server.ask("produce", seed=1)
        with self.take(viewer) as frame:
            whole, plane, part = frame.bytes, frame.planes[0], frame.bytes[10:20]
            self.assertEqual(bytes(part), pattern(11, 10))
        server.ask("produce", seed=7)
        later = self.take(viewer)
        self.assertEqual(bytes(later.bytes), pattern(7, 1000))
        for stale in (whole, plane.bytes):
            with self.assertRaises(ValueError):
                stale.tobytes()
        self.assertEqual(bytes(part), bytes(10))
        self.refused("EBADF", lambda: frame.bytes)
        self.refused("EBADF", lambda: frame.planes)
        later.close()
        self.assertEqual(bytes(part), bytes(10))

    def test_the_memory_is_mapped_once_for_each_place_where_no_view_is_kept(self) -> None:
        server = self.open(buffers=1)
        viewer = self.view()
        places = set()
        for seed in range(5):
            server.ask("produce", seed=seed)
            with self.take(viewer) as frame:
                places.add(_address_of(frame.bytes))
        self.assertEqual(len(places), 1)

    def test_a_view_outlives_its_viewer(self) -> None:
        server = self.open()
        viewer = self.view()
        server.ask("produce", seed=1)
        frame = self.take(viewer)
        part = frame.bytes[:]
        viewer.close()
        self.refused("EBADF", lambda: frame.bytes)
        frame.close()
        del viewer, frame
        gc.collect()
        self.assertEqual(bytes(part), bytes(1000))
        server.kill()

    def test_a_closed_viewer_leaves_no_descriptor_and_no_mapping(self) -> None:
        server = self.open(name="left-behind")
        before = sorted(os.listdir("/proc/self/fd"))
        for _ in range(3):
            with dmabuf.view(self.where) as viewer:
                server.ask("produce", seed=1)
                with self.take(viewer) as frame:
                    self.assertEqual(frame.bytes[0], 1)
                    self.assertIn("memfd", _maps())
        self.assertEqual(sorted(os.listdir("/proc/self/fd")), before)
        self.assertNotIn("memfd", _maps())

    def test_the_memory_of_a_frame_cannot_be_written(self) -> None:
        server = self.open()
        viewer = self.view()
        server.ask("produce", seed=1)
        with self.take(viewer) as frame:
            with self.assertRaises(TypeError):
                frame.bytes[0] = 1
            with open("/proc/self/maps") as maps:
                shared = [line.split()[1] for line in maps if "memfd" in line]
            self.assertEqual(set(shared), {"r--s"})


class Waiting(ViewerTest):
    def test_a_wait_ends_when_its_time_has_passed(self) -> None:
        server = self.open()
        viewer = self.view()
        began = time.monotonic()
        self.refused("ETIMEDOUT", viewer.next, 0.2)
        self.assertGreaterEqual(time.monotonic() - began, 0.2)
        self.refused("ETIMEDOUT", viewer.next, 0)
        server.ask("produce", seed=0)
        with self.take(viewer) as frame:
            self.assertEqual(frame.sequence, 0)

    def test_its_descriptor_is_readable_when_there_is_a_frame(self) -> None:
        server = self.open()
        viewer = self.view()
        self.assertEqual(select.select([viewer], [], [], 0.05)[0], [])
        for seed in range(3):
            server.ask("produce", seed=seed)
            self.assertEqual(select.select([viewer], [], [], LIMIT)[0], [viewer])
            with self.take(viewer) as frame:
                self.assertEqual(frame.bytes[0], seed)
        viewer.close()
        self.refused("EBADF", viewer.fileno)

    def test_of_two_threads_that_wait_each_gets_its_own_frames(self) -> None:
        server = self.open(lookOptions={"policy": "block"}, buffers=2)
        viewer = self.view()
        taken: List[int] = []

        def work() -> None:
            for frame in viewer:
                self.assertEqual(bytes(frame.bytes), pattern(frame.sequence % 7, 1000))
                taken.append(frame.sequence)

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for i in range(100):
            server.ask("produce", seed=i % 7)
        eventually(self, "all frames were seen", lambda: len(taken) == 100)
        server.ask("end")
        for thread in threads:
            thread.join(LIMIT)
            self.assertFalse(thread.is_alive())
        self.assertEqual(sorted(taken), list(range(100)))

    def test_a_thread_that_waits_is_woken_by_the_close(self) -> None:
        self.open()
        viewer = self.view()
        codes: List[str] = []

        def work() -> None:
            try:
                viewer.next()
            except dmabuf.DmaBufError as error:
                codes.append(error.code)

        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        time.sleep(0.1)
        viewer.close()
        for thread in threads:
            thread.join(LIMIT)
            self.assertFalse(thread.is_alive())
        self.assertEqual(codes, ["EBADF", "EBADF"])

    def test_a_signal_interrupts_a_wait_and_loses_no_frame(self) -> None:
        server = self.open(lookOptions={"policy": "block"})
        program = """
import os, signal, sys, dmabuf
with dmabuf.view(sys.argv[1]) as viewer:
    print("{}", flush=True)
    try:
        viewer.next()
    except KeyboardInterrupt:
        print('{"interrupted": true}', flush=True)
    with viewer.next(60) as frame:
        print('{"sequence": %d}' % frame.sequence, flush=True)
"""
        child = start(self, program, self.where)
        child.answer()
        time.sleep(0.1)
        child.process.send_signal(signal.SIGINT)
        self.assertEqual(child.answer(), {"interrupted": True})
        server.ask("produce", seed=0)
        self.assertEqual(child.answer(), {"sequence": 0})

    def test_a_handler_that_returns_does_not_end_a_wait(self) -> None:
        server = self.open()
        viewer = self.view()
        calls: List[int] = []
        former = signal.signal(signal.SIGALRM, lambda number, _: calls.append(number))
        self.addCleanup(signal.signal, signal.SIGALRM, former)
        signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
        self.addCleanup(signal.setitimer, signal.ITIMER_REAL, 0)
        threading.Timer(0.3, lambda: server.say(do="produce", seed=0)).start()
        with self.take(viewer) as frame:
            self.assertEqual(frame.sequence, 0)
        server.answer()
        signal.setitimer(signal.ITIMER_REAL, 0)
        self.assertGreater(len(calls), 1)


class Ends(ViewerTest):
    def test_a_viewer_that_is_killed_with_a_frame_gives_it_back(self) -> None:
        server = self.open(buffers=2, lookOptions={"policy": "block"})
        program = """
import sys, time, dmabuf
viewer = dmabuf.view(sys.argv[1])
frame = viewer.next()
print('{"sequence": %d}' % frame.sequence, flush=True)
time.sleep(1000)
"""
        child = start(self, program, self.where)
        eventually(self, "it looks", lambda: viewers(server) == 1)
        server.ask("produce", seed=0)
        self.assertEqual(child.answer(), {"sequence": 0})
        child.kill()
        for seed in range(5):
            server.ask("produce", seed=seed)
        eventually(self, "it is gone", lambda: viewers(server) == 0)

    def test_a_server_that_is_killed_leaves_the_frame_and_ends_the_next_wait(self) -> None:
        server = self.open()
        viewer = self.view()
        server.ask("produce", seed=5)
        frame = self.take(viewer)
        server.kill()
        self.assertEqual(bytes(frame.bytes), pattern(5, 1000))
        frame.close()
        self.refused("ECONNRESET", viewer.next, LIMIT)

    def test_what_is_collected_is_given_back_with_a_warning(self) -> None:
        server = self.open(buffers=1, lookOptions={"policy": "block"})
        viewer = self.view()
        for seed in range(3):
            server.ask("produce", seed=seed)
            with self.assertWarnsRegex(ResourceWarning, "frame was not given back"):
                self.take(viewer)
                gc.collect()
        other = dmabuf.view(self.where)
        self.assertIsNotNone(other)
        with self.assertWarnsRegex(ResourceWarning, "viewer was not closed"):
            del other
            gc.collect()

    def test_a_forked_child_gives_nothing_back_and_has_no_connection(self) -> None:
        server = self.open(buffers=1, lookOptions={"policy": "block"})
        viewer = self.view()
        server.ask("produce", seed=6)
        frame = self.take(viewer)
        part = frame.bytes[:]
        before = _sockets()
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                os.close(reading)
                if bytes(part) != bytes(1000):
                    raise AssertionError("the child sees the frame")
                frame.close()
                try:
                    viewer.next(1)
                except dmabuf.DmaBufError as error:
                    if error.code != "EBADF":
                        raise
                viewer.close()
                if _sockets() != before - 1:
                    raise AssertionError("the child has the connection")
                code = 0
            finally:
                os._exit(code)
        os.close(writing)
        os.close(reading)
        _, status = os.waitpid(child, 0)
        self.assertEqual(os.waitstatus_to_exitcode(status), 0)
        # It was not given back: the parent still has it, and it is as it was.
        self.assertEqual(bytes(frame.bytes), pattern(6, 1000))
        self.assertEqual(bytes(part), pattern(6, 1000))
        server.say(do="produce", seed=7, timeout=200)
        self.assertEqual(server.answer()["error"]["code"], "ETIMEDOUT")
        frame.close()
        server.ask("produce", seed=8)
        with self.take(viewer) as frame:
            self.assertEqual(frame.bytes[0], 8)

    def test_a_child_of_fork_does_not_hide_the_end_of_its_parent(self) -> None:
        server = self.open()
        program = """
import os, sys, time, dmabuf
viewer = dmabuf.view(sys.argv[1])
child = os.fork()
if child == 0:
    time.sleep(1000)
print('{"child": %d}' % child, flush=True)
time.sleep(1000)
"""
        parent = start(self, program, self.where)
        child = parent.answer()["child"]
        self.addCleanup(os.kill, child, signal.SIGKILL)
        eventually(self, "it looks", lambda: viewers(server) == 1)
        parent.process.send_signal(signal.SIGKILL)
        eventually(self, "it is gone", lambda: viewers(server) == 0)


class Connecting(ViewerTest):
    def test_nothing_is_served_there(self) -> None:
        self.refused("ECONNREFUSED", dmabuf.view, new_place())
        self.refused("ENOENT", dmabuf.view, "/nowhere/stream")
        for where in ("", "@", "a\0b", "/" + "x" * 200):
            with self.assertRaises(ValueError):
                dmabuf.view(where)

    def test_a_policy_is_the_servers_own_or_one_that_is_allowed(self) -> None:
        self.open(lookOptions={"policy": "newest", "policies": ["drop-oldest"], "groups": ["workers"]})
        self.assertEqual(self.view().policy, "newest")
        self.assertEqual(self.view(policy="drop-oldest", group="workers", name="a test").policy, "drop-oldest")
        error = self.refused("EACCES", dmabuf.view, self.where, policy="block")
        self.assertIn("The server of the stream says: ", str(error))
        self.refused("EACCES", dmabuf.view, self.where, group="others")

    def test_there_are_only_so_many_viewers(self) -> None:
        self.open(lookOptions={"viewers": 1})
        self.view()
        self.refused("ENOSPC", dmabuf.view, self.where)

    def test_contributors_are_told_that_viewers_are_served(self) -> None:
        self.open()
        self.refused("EPROTO", dmabuf.contribute, self.where)

    def test_another_user_is_refused_unless_it_is_named(self) -> None:
        if os.geteuid() != 0:
            self.skipTest("Missing here: root")
        for users, code in ([], "EACCES"), ([65534], ""):
            self.open(lookOptions={"users": users})
            reading, writing = os.pipe()
            child = os.fork()
            if child == 0:
                os.setgid(65534)
                os.setuid(65534)
                try:
                    dmabuf.view(self.where, timeout=LIMIT).close()
                except dmabuf.DmaBufError as error:
                    os.write(writing, error.code.encode())
                finally:
                    os._exit(0)
            os.close(writing)
            with os.fdopen(reading) as said:
                self.assertEqual(said.read(), code)
            os.waitpid(child, 0)

    def test_a_server_that_says_nothing_is_waited_for_as_long_as_is_said(self) -> None:
        where = new_place()
        with socket.socket(socket.AF_UNIX) as silent:
            silent.bind("\0" + where[1:])
            silent.listen()
            began = time.monotonic()
            self.refused("ETIMEDOUT", dmabuf.view, where, timeout=0.2)
            self.assertGreaterEqual(time.monotonic() - began, 0.2)

    def test_wrong_timeouts_are_mistakes_of_the_program(self) -> None:
        for wrong in ("1", True):
            with self.assertRaises(TypeError):
                dmabuf.view("@x", timeout=wrong)  # type: ignore[arg-type]
        for wrong_number in (-1, float("nan")):
            with self.assertRaises(ValueError):
                dmabuf.view("@x", timeout=wrong_number)


def viewers(server: Process) -> int:
    return int(server.ask("counts")["viewers"])


def _address_of(view: memoryview) -> int:
    with open("/proc/self/maps") as maps:
        found = [line.split("-")[0] for line in maps if "memfd" in line]
    assert isinstance(view.obj, ctypes.Array)
    address = ctypes.addressof(view.obj)
    assert f"{address:x}" in found
    return address


def _maps() -> str:
    with open("/proc/self/maps") as maps:
        return maps.read()


def _sockets() -> int:
    count = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            count += os.readlink(f"/proc/self/fd/{name}").startswith("socket:")
        except FileNotFoundError:
            pass  # that of the folder
    return count


if __name__ == "__main__":
    unittest.main()
