/**
 * Workers of a process beside other processes, all in one domain.
 *
 * Environment: DMABUF_CASES=all, to run all cases with several agents so; otherwise those about storage, which is what
 * a worker has in another way than a process.
 */
import { agentOf } from "../../src/domain-base.js";
import assert from "node:assert/strict";
import process from "node:process";
import { describe, test, type TestContext } from "node:test";
import { PAGE_SIZE } from "../../src/index.js";
import { ProcessDomain } from "../../src/node/index.js";
import { bufferCases } from "../conformance/parties/buffer-cases.js";
import { exporterCases } from "../conformance/parties/exporter-cases.js";
import { moveCases } from "../conformance/parties/move-cases.js";
import { WORKERS_BESIDE_PROCESSES } from "../conformance/parties/processes.js";
import { bufferSuites, exporterSuites, fenceSuites } from "../conformance/parties/suites.js";
import { writePattern } from "../pattern.js";
import { Holder, listen, WorkerHolder } from "./holder-process.js";

const LIMITED = { timeout: 60_000 };

const SUITES =
  process.env["DMABUF_CASES"] === "all"
    ? [fenceSuites, bufferSuites, exporterSuites]
    : [bufferCases, exporterCases, moveCases];

describe(`cases in ${WORKERS_BESIDE_PROCESSES.name}`, () => {
  for (const suite of SUITES) suite(WORKERS_BESIDE_PROCESSES);
});

for (const [from, to] of [
  ["worker", "process"],
  ["process", "worker"],
  ["worker", "worker"],
] as const) {
  test(`a frame goes from a ${from} to a ${to}, and stays whole`, LIMITED, async (t) => {
    const { domain, place } = listen(t);
    const producer = await join(from, t, domain, place);
    const consumer = await join(to, t, domain, place);
    await producer.ask({ order: "publish", name: "frames", versions: [5] });
    assert.equal(await consumer.ask({ order: "consume", name: "frames", policy: "block" }), 5);
    await producer.ask({ order: "publish", name: "frames", versions: [6] });
    assert.equal(await consumer.ask({ order: "check frame" }), 5);
  });
}

for (const who of ["worker", "process"] as const) {
  test(`a ${who} that joins after a buffer has moved reads its newest storage`, LIMITED, async (t) => {
    const { domain, place } = listen(t);
    const exporter = await ProcessDomain.connect(place);
    t.after(() => exporter.close());
    const buffer = exporter.export([exporter.createMemory(PAGE_SIZE)]);
    const early = { ...buffer.handle() };
    const watcher = domain.import(early);
    for (const version of [1, 2, 3]) {
      {
        using access = await buffer.access("write");
        writePattern(access.bytes, version, agentOf(exporter).identity, () => {});
      }
      await buffer.move([exporter.createMemory(PAGE_SIZE)]);
    }
    const joiner = await join(who, t, domain, place);
    for (const handle of [early, { ...buffer.handle() }]) {
      await joiner.ask({ order: "import", handle });
      await joiner.ask({ order: "read" });
      assert.equal(await joiner.ask({ order: "read on" }), 3);
    }
    // Nor does any agent need the exporter.
    exporter.close();
    const last = await join(who, t, domain, place);
    await last.ask({ order: "import", handle: { ...watcher.handle() } });
    await last.ask({ order: "read" });
    assert.equal(await last.ask({ order: "read on" }), 3);
  });
}

function join(
  who: "worker" | "process",
  t: TestContext,
  domain: ProcessDomain,
  place: string,
): Promise<Holder | WorkerHolder> {
  return who === "worker" ? WorkerHolder.start(t, domain) : Holder.start(t, place);
}
