"""The examples, as they are started by hand."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import unittest
from typing import Any, Dict, List

from .support import HERE, LIMIT, SOURCES, missing, new_place

EXAMPLES = os.path.join(os.path.dirname(HERE), "examples")


class Examples(unittest.TestCase):
    def setUp(self) -> None:
        self.need("numpy", "numpy (Debian: python3-numpy)")

    def need(self, module: str, what: str, ci: bool = True) -> None:
        found = subprocess.run([sys.executable, "-c", f"import {module}"], stderr=subprocess.DEVNULL, timeout=LIMIT)
        if found.returncode != 0 and ci:
            missing(self, what)
        elif found.returncode != 0:
            self.skipTest(f"Missing here: {what}")

    def start(self, *command: str) -> "subprocess.Popen[str]":
        environment = {**os.environ, "PYTHONPATH": SOURCES}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=EXAMPLES, env=environment)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        assert process.stdout is not None
        self.addCleanup(process.stdout.close)
        return process

    def pipeline(self, *names: str) -> "subprocess.Popen[str]":
        process = self.start(os.environ.get("DMABUF_NODE") or str(shutil.which("node")), "pipeline.mjs", *names)
        assert process.stdout is not None
        self.assertEqual(process.stdout.readline(), "ready\n")
        return process

    def results(self, program: str) -> List[Dict[str, Any]]:
        places = new_place(), new_place()
        pipeline = self.pipeline(*places, "20")
        model = self.start(sys.executable, program, *places)
        said, _ = pipeline.communicate(timeout=LIMIT)
        self.assertEqual((pipeline.returncode, model.wait(LIMIT)), (0, 0))
        found = [json.loads(line) for line in said.splitlines()]
        self.assertEqual([(one["sequence"], one["timestamp"], one["data"]) for one in found], [
            (i, i * 40, {"frame": i}) for i in range(20)
        ])
        return found

    def test_a_filter_between_two_streams_has_each_frame(self) -> None:
        for one in self.results("invert.py"):
            self.assertEqual((one["outside"], one["inside"], one["chroma"]), (239, 55, 155))

    def test_a_model_of_pytorch_finds_the_edges(self) -> None:
        # It is large, and CI does not install it.
        self.need("torch", "torch (Debian: python3-torch)", ci=False)
        for one in self.results("torch_model.py"):
            edge = 184 if one["sequence"] > 0 else 200
            self.assertEqual((one["inside"], one["edge"], one["chroma"]), (0, edge, 128))

    def test_a_viewer_says_how_bright_each_frame_is(self) -> None:
        places = new_place(), new_place()
        pipeline = self.pipeline(*places, "5")
        viewer = self.start(sys.executable, "brightness.py", places[0])
        said, _ = viewer.communicate(timeout=LIMIT)
        self.assertEqual(viewer.returncode, 0)
        # (16 * (320 * 240 - 1600) + 200 * 1600) / (320 * 240)
        self.assertEqual(said.splitlines(), ["camera: NV12, 320 x 240", *(f"frame {i}: 19.8" for i in range(5))])
        pipeline.kill()


if __name__ == "__main__":
    unittest.main()
