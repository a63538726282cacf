/** The conformance cases on fences whose numbers have 32 bits and wrap, in one agent; see parties/number-cases.ts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createFenceArray } from "../../src/fence/fence-array.js";
import { importFence } from "../../src/fence/import-fence.js";
import type { Fence } from "../../src/fence/fence.js";
import { publish } from "../../src/fence/published-fence.js";
import { allocateContexts } from "../../src/fence/timeline.js";
import { mergeFences, newestOfEachContext, unwrap } from "../../src/fence/unwrap.js";
import { createDomain, isPending } from "../agents.js";
import { addFence, places } from "./reservation-support.js";
import { makeReservation, opsFence, testAgent, type TestAgent } from "./support.js";

const PATIENT = { timeout: 10_000 };

/** What became of the fences: of this agent alone, published, or sent and imported, by itself or by another agent. */
const WAYS: Readonly<Record<string, (fence: Fence, agent: TestAgent) => Fence>> = {
  "of one agent alone": (fence) => fence,
  published: (fence) => {
    publish(fence);
    return fence;
  },
  imported: (fence, agent) => importFence(agent, structuredClone(fence.handle())),
};

function inEachWay(name: string, body: (agent: TestAgent, make: (seqno: number) => Fence) => void): void {
  for (const [way, become] of Object.entries(WAYS)) {
    test(`${name} (fences ${way})`, () => {
      const agent = testAgent();
      const context = allocateContexts(agent, 1);
      body(agent, (seqno) => become(opsFence(agent, { seqno32: true }, context, seqno), agent));
      assert.deepEqual(agent.takeWarnings(), []);
    });
  }
}

inEachWay("FEN-39 numbers of 32 bits compare by their signed difference", (_agent, make) => {
  const later: [number, number, boolean][] = [
    [1, 0xffff_fffe, true],
    [0xffff_fffe, 1, false],
    [0, 0xffff_ffff, true],
    [2, 1, true],
    [5, 2 ** 32 + 1, true],
    [0, 2 ** 31, false],
    [2 ** 31, 0, false],
    [7, 7, false],
  ];
  for (const [a, b, expected] of later) assert.equal(make(a).isLater(make(b)), expected, `${a} after ${b}`);
});

inEachWay("RSV-25 the fence after the wrap takes the place of the one before it, not the other way", (agent, make) => {
  const reservation = makeReservation(agent);
  const [before, after] = [make(0xffff_ffff), make(1)];
  addFence(reservation, before, "write");
  addFence(reservation, after, "write");
  assert.deepEqual(places(reservation), [[after.context, 1, "write"]]);
  addFence(reservation, before, "write");
  assert.deepEqual(places(reservation), [
    [after.context, 1, "write"],
    [after.context, 0xffff_ffff, "write"],
  ]);
});

inEachWay("UNW-09 of what a reservation holds, a merge keeps the fence after the wrap", (agent, make) => {
  const reservation = makeReservation(agent);
  addFence(reservation, make(0xffff_ffff), "write");
  addFence(reservation, make(1), "read");
  const fences = reservation.getFences("read");
  assert.equal(fences.length, 2);
  const other = opsFence(agent);
  const merged = [fences, fences.toReversed(), [createFenceArray(agent, [fences[0]!, other]), fences[1]!]];
  for (const list of merged) {
    const numbers = [...unwrap(mergeFences(agent, list))].filter((fence) => fence.context !== other.context);
    assert.deepEqual(
      numbers.map(({ seqno }) => seqno),
      [1],
    );
  }
});

test("UNW-09 of numbers that span more than half of all, each is compared with the newest so far", () => {
  const agent = testAgent();
  const context = allocateContexts(agent, 1);
  const numbers = [0, 0x6000_0000, 0xc000_0000, 0x1000_0000];
  const fences = numbers.map((seqno) => opsFence(agent, { seqno32: true }, context, seqno));
  assert.deepEqual(newestOfEachContext(fences), [fences[3]]);
});

test("SCH-11 a job that reads a buffer waits for the write after the wrap", PATIENT, async (t) => {
  const domain = createDomain(t);
  using buffer = domain.allocate(4096);
  const ops = { driverName: "device", timelineName: "ring", seqno32: true };
  const context = domain.allocateContexts(1);
  const [before, after] = [0xffff_ffff, 1].map((seqno) => domain.createFence(ops, context, seqno));
  let status: number | undefined;
  const queue = domain.createQueue({ run: () => void (status = after!.status) });
  for (const fence of [before!, after!]) addFence(buffer.reservation, fence, "write");
  const job = await queue.submit({ reads: [buffer], dependencies: [before!] });
  before!.signal();
  assert.equal(await isPending(job.wait()), true);
  after!.signal();
  await job.result();
  assert.equal(status, 1);
});
