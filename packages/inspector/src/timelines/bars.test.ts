import assert from "node:assert/strict";
import { test } from "node:test";
import type { SnapshotTimeline } from "dmabuf/node";
import fc from "fast-check";
import { barsIn } from "./bars.js";
import { Lane } from "./lane.js";
import { endingBy, panned, ticks, zoomed } from "./window.js";

function timeline(times: SnapshotTimeline["lastTimes"]): SnapshotTimeline {
  const names = { name: "gpu", kind: "timeline", driverName: "test" } as const;
  const completed = times[0]?.seqno ?? 0;
  return { slot: 0, generation: 1, context: 1, ...names, owner: 1, completed, timeLimit: 0, lastTimes: times };
}

/** A lane whose fences signaled at these times, one after the other. */
function laneOf(times: readonly number[], failed: ReadonlySet<number> = new Set()): Lane {
  const all = times.map((at, i) => ({ seqno: i + 1, at, ...(failed.has(i + 1) && { error: "EIO" }) }));
  const lane = new Lane(timeline([]));
  lane.add(timeline(all.reverse()));
  return lane;
}

test("however many fences there are, there are at most two bars to a pixel (bars.1), and no fence is lost (bars.2)", () => {
  const steps = fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 1, maxLength: 400 });
  const place = fc.integer({ min: 0, max: 1000 });
  fc.assert(
    fc.property(
      steps,
      place,
      fc.integer({ min: 1, max: 300 }),
      fc.integer({ min: 1, max: 500 }),
      (steps, from, length, width) => {
        let time = 0;
        const lane = laneOf(steps.map((step) => (time += step)));
        const window = { from: (from / 1000) * time, to: (from / 1000) * time + length * 10 };
        const bars = [...barsIn(lane, window, width)];
        assert.ok(bars.length <= 2 * width + 1, `${bars.length} bars on ${width} pixels`);
        for (const [i, bar] of bars.entries()) {
          assert.equal(bar.first, i === 0 ? lane.firstFrom(window.from) : bars[i - 1]!.first + bars[i - 1]!.count);
          assert.ok(bar.left >= 0 && bar.left < width && bar.count > 0);
        }
        const next = bars.at(-1) === undefined ? lane.firstFrom(window.from) : bars.at(-1)!.first + bars.at(-1)!.count;
        assert.ok(next === lane.count || lane.startOf(next) >= window.to - 1e-6 || lane.endOf(next) >= window.to);
      },
    ),
  );
});

test("one that failed colours its bar, also among many, and says with what", () => {
  const lane = laneOf(
    Array.from({ length: 10_000 }, (_, i) => i),
    new Set([5000]),
  );
  const bars = [...barsIn(lane, { from: 0, to: 10_000 }, 100)];
  assert.deepEqual(
    bars.filter(({ hasFailed }) => hasFailed).map(({ first, count }) => first <= 4999 && 4999 < first + count),
    [true],
  );
  assert.deepEqual([lane.errorOf(4998), lane.errorOf(4999), lane.errorOf(5000)], [undefined, "EIO", undefined]);
});

test("a lane takes from a later look what is new in it, and forgets the oldest", () => {
  const lane = laneOf([10, 20, 30]);
  lane.add(timeline([40, 30, 20].map((at) => ({ seqno: at / 10, at }))));
  assert.deepEqual([lane.count, lane.lastEnd], [4, 40]);
  // What was not seen has no beginning.
  lane.add(timeline([{ seqno: 90, at: 900 }]));
  assert.deepEqual([lane.startOf(4), lane.endOf(4)], [900, 900]);
  for (let seqno = 91; seqno < 200_000; seqno++) lane.add(timeline([{ seqno, at: seqno * 10 }]));
  assert.ok(lane.count <= 131_072 && lane.numberOf(lane.count - 1) === 199_999);
  assert.equal(lane.numberOf(0), 200_000 - lane.count);
});

test("what is pointed at stays where it is when the window is zoomed, and no window is beyond its limits", () => {
  const window = { from: 1e9, to: 2e9 };
  assert.deepEqual(zoomed(window, 0.5, 1e9), { from: 1e9, to: 1.5e9 });
  assert.deepEqual(panned(window, 0.5), { from: 1.5e9, to: 2.5e9 });
  assert.deepEqual(endingBy(panned(window, 0.5), 2e9), window);
  const { from, to } = zoomed(window, 1e-12, 1.5e9);
  assert.ok(to - from >= 9_999 && from <= 1.5e9 && to >= 1.5e9);
});

test("the axis has round distances from now", () => {
  assert.deepEqual(ticks({ from: -10e9, to: 0 }, 0, 5), { times: [-10e9, -8e9, -6e9, -4e9, -2e9, 0], digits: 0 });
  assert.deepEqual(ticks({ from: -1e6, to: 0 }, 0, 2), { times: [-1e6, -0.5e6, 0], digits: 4 });
});
