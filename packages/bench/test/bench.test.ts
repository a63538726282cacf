import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Standing } from "../src/contest.js";
import type { Figures } from "../src/figures.js";
import type { Goal } from "../src/goals.js";
import { findPython } from "../src/python.js";
import type { Report } from "../src/report.js";

const MAIN = join(import.meta.dirname, "..", "src", "main.js");

let directory: string;

before(() => (directory = mkdtempSync(join(tmpdir(), "dmabuf-bench-"))));
after(() => rmSync(directory, { recursive: true }));

function bench(options: readonly string[], environment: Record<string, string> = {}) {
  const env = { ...process.env, ...environment };
  return spawnSync(process.execPath, [MAIN, ...options], {
    encoding: "utf8",
    env,
    timeout: 60_000,
    killSignal: "SIGKILL",
  });
}

function report(options: readonly string[], environment: Record<string, string> = {}): Report {
  const file = join(directory, "report.json");
  const { status, stderr } = bench([...options, "--json", file], environment);
  assert.equal(status, 0, stderr);
  return JSON.parse(readFileSync(file, "utf8")) as Report;
}

/** One run of a side. */
function figures(side: string, parameters: object): void {
  const path = join(import.meta.dirname, "..", "src", "sides", side);
  const options = { encoding: "utf8", timeout: 30_000, killSignal: "SIGKILL" } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, [path, JSON.stringify(parameters)], options);
  assert.equal(status, 0, stderr);
  const { best, p50, samples } = JSON.parse(stdout) as Figures;
  assert.ok(0 < best && best <= p50 && samples === 3);
}

describe("npm run bench", () => {
  test("--quick --only fence --json writes the documented report", () => {
    const { machine, scale, rounds, results, goals, skipped } = report(["--quick", "--only", "fence"]);
    assert.equal(machine.node, process.versions.node);
    assert.ok(machine.processor.length > 0 && machine.processors >= 1);
    assert.deepEqual([scale, rounds], ["quick", 2]);
    assert.ok(Array.isArray(skipped));

    assert.deepEqual(
      results.map(({ name, group }) => [name, group]),
      [["fence", "fence"]],
    );
    const { standings } = results[0]!;
    assert.deepEqual(
      standings.map(({ name, ours }) => [name, ours]),
      [
        ["create + signal", true],
        ["create + signal + check", true],
        ["bare Atomics", false],
      ],
    );
    for (const { best, p50, p99, median, runs } of standings) {
      assert.ok(0 < best && best <= p50 && p50 <= p99 && p50 <= median);
      assert.equal(runs.length, rounds);
      assert.equal(p50, Math.min(...runs.map((run) => run.p50)));
    }
    const [ours, , peer] = standings as [Standing, Standing, Standing];
    assert.deepEqual(peer.ratios, []);
    assert.deepEqual(
      ours.ratios.map(({ peer, best }) => [peer, best]),
      [["bare Atomics", ours.p50 / peer.p50]],
    );

    const { goal: _, figure, met, ...claim } = goals[0]!;
    assert.deepEqual(claim, { unit: "ns", bound: "at most", limit: 70 } satisfies Partial<Goal>);
    assert.deepEqual([figure, met], [ours.p50, ours.p50 <= 70]);
    assert.equal(goals.length, 1);
  });

  test("--only spinning measures two workers beside C", () => {
    const { results, machine, skipped } = report(["--quick", "--only", "spinning"]);
    if (machine.processors < 2) {
      assert.match(skipped.join(), /only one/);
      return;
    }
    const names = results[0]!.standings.map(({ name }) => name);
    assert.ok(names.includes("fences") && names.includes("bare Atomics, spinning"));
    assert.equal(names.includes("C spinning"), machine.compiler !== null);
  });

  test("--only processes measures the process substrate beside C", () => {
    const { results, machine } = report(["--quick", "--only", "processes"]);
    assert.equal(results.length, machine.processors < 2 ? 2 : 5);
    for (const { standings } of results) {
      assert.equal(standings.filter(({ ours }) => ours).length, 1);
      assert.equal(standings.length, machine.compiler === null ? 1 : 2);
    }
  });

  test("frames go to several processes, none lost", () => {
    const plan = { samples: 3, batch: 50, warm: 1 };
    for (const wait of ["usual", "park"]) {
      figures("process-throughput.js", { plan, wait, bytes: 1024, buffers: 4, consumers: [null, null] });
    }
  });

  test("a hand-off is measured in a domain that is full", () => {
    const plan = { samples: 3, batch: 128, warm: 1 };
    const crowd = { agents: 40, buffers: 50, streams: 5, places: 32, consumers: 64 };
    figures("growth.js", { plan, crowd });
    figures("growth.js", { plan, crowd, allTake: true });
    figures("stream-round-trip.js", { plan, wait: "park", bytes: 1024, crowd: { ...crowd, places: 1 } });
  });

  test("frames go to Python and back by each way, none torn", (t) => {
    const python = findPython();
    if (python === undefined) return t.skip("Missing here: python3 (Debian: python3)");
    const given = { plan: { samples: 3, batch: 1, warm: 1 }, program: python.program, width: 64, height: 48 };
    figures("python.js", { ...given, way: "visitors" });
    figures("python.js", { ...given, way: "shared-memory" });
    figures("python.js", { ...given, way: "pipe" });
    if (python.hasZeromq) figures("python.js", { ...given, way: "zeromq" });
  });

  test("says aloud that it goes without C where there is no compiler", () => {
    const { machine, skipped } = report(["--quick", "--only", "fence"], { CC: "/nowhere/cc" });
    assert.equal(machine.compiler, null);
    assert.match(skipped.join(), /no C compiler/);
  });

  test("--only with a group that there is not is an error that names the groups", () => {
    const { status, stderr } = bench(["--only", "nothing"]);
    assert.equal(status, 1);
    assert.match(stderr, /'nothing'.*fence, reservation/);
  });
});
