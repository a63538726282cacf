import type { Children } from "../children.js";
import type { Contestant, Measure } from "../contest.js";
import type { Python } from "../python.js";
import type { PythonParameters } from "../sides/python.js";
import { planOf, type Scale } from "./scale.js";

const WAYS: readonly (readonly [PythonParameters["way"], string])[] = [
  ["visitors", "dmabuf, as visitors (no copy)"],
  ["shared-memory", "shared memory by hand (2 copies)"],
  ["pipe", "pipes (6 copies)"],
  ["zeromq", "ZeroMQ, Python on both sides (4 copies)"],
];

/** 1080p NV12. */
const [WIDTH, HEIGHT] = [1920, 1080];

/** A frame from Node.js to Python, and one of the same size back, their first and last byte written and checked. */
export function pythonMeasures(children: Children, scale: Scale, python: Python | undefined): Measure[] {
  if (python === undefined) return [];
  const plan = planOf(scale, { samples: 200, batch: 1, warm: 50 });
  const contestants = WAYS.filter(([way]) => way !== "zeromq" || python.hasZeromq).map(([way, name]): Contestant => ({
    name,
    ours: way === "visitors",
    run: () =>
      children.runSide<PythonParameters>("python.js", {
        plan,
        way,
        program: python.program,
        width: WIDTH,
        height: HEIGHT,
      }),
  }));
  const title = "1080p NV12 frame from Node.js to Python, and one back";
  return [{ group: "python", name: "python", title, bytes: (WIDTH * HEIGHT * 3) / 2, contestants }];
}
