/** A wait for others that lasts long says once for whom it waits (option "warnAfter"). */
import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, test } from "node:test";
import { Worker } from "node:worker_threads";
import { createDomain, joinDomain, pause } from "../test/agents.js";
import { HELD_UP } from "../test/held-up.js";
import { streamOf } from "../test/waiting.js";
import { DmaBufError } from "./errors.js";

const PATIENT = { timeout: 20_000 };
type Context = Parameters<typeof createDomain>[0];

/** What the library warns of, from now on. */
function warningsIn(t: Context): string[] {
  const warnings: string[] = [];
  const heard = ({ name, message }: Error): void => {
    if (name === "DmaBufWarning") warnings.push(message);
  };
  process.on("warning", heard);
  t.after(() => process.off("warning", heard));
  return warnings;
}

/** Lets a call time out. */
async function timesOut(call: Promise<unknown>): Promise<void> {
  await assert.rejects(call, (error) => error instanceof DmaBufError && error.code === "ETIMEDOUT");
}

describe("a call that has waited for long warns once, and names who holds it up:", () => {
  for (const [what, names, start] of HELD_UP) {
    test(what, PATIENT, async (t) => {
      const domain = createDomain(t, { name: "main", warnAfter: 10 });
      const warnings = warningsIn(t);
      await timesOut(start(domain, joinDomain(t, domain, "other", { warnAfter: 10 }), { timeout: 100 }));
      await pause(0);
      assert.equal(warnings.length, 1, warnings.join("\n"));
      assert.match(warnings[0]!, /^Cannot .* after 10 ms: .* \(option "warnAfter"\)$/);
      assert.match(warnings[0]!.replace(' (option "warnAfter")', ""), names);
    });
  }

  test("waitForConsumers()", PATIENT, async (t) => {
    const stream = streamOf(createDomain(t, { warnAfter: 10 }));
    stream.frames();
    const warnings = warningsIn(t);
    await timesOut(stream.waitForConsumers(2, { timeout: 60 }));
    assert.deepEqual(warnings, [
      'Cannot begin with stream "stream" after 10 ms: only 1 of 2 consumers have joined (option "warnAfter")',
    ]);
  });

  test("a frame that a fence still writes", PATIENT, async (t) => {
    const domain = createDomain(t, { name: "main", warnAfter: 10 });
    const stream = streamOf(domain);
    const consumer = stream.frames();
    const loan = (await stream.loan())!;
    {
      using _lock = loan.buffer.reservation.lockSync();
      loan.buffer.reservation.reserveFences(1);
      loan.buffer.reservation.addFence(domain.createTimeline().createFence(), "write");
    }
    loan.publish();
    const warnings = warningsIn(t);
    await timesOut(consumer.next({ timeout: 60 }));
    assert.deepEqual(warnings, [
      'Cannot take a frame of stream "stream" after 10 ms: it waits for this thread ("main") (option "warnAfter")',
    ]);
  });
});

describe("no word is said", () => {
  test("of a consumer that waits for a frame, and of one that follows it", PATIENT, async (t) => {
    const consumer = streamOf(createDomain(t, { warnAfter: 5 })).frames();
    const warnings = warningsIn(t);
    await timesOut(consumer.next({ timeout: 50 }));
    assert.throws(() => consumer.nextSync({ timeout: 50 }), { code: "ETIMEDOUT" });
    await pause(0);
    assert.deepEqual(warnings, []);
  });

  test("of what ends in time, with Infinity, and after the domain was left", PATIENT, async (t) => {
    const warnings = warningsIn(t);
    for (const warnAfter of [200, Infinity]) {
      const domain = createDomain(t, { warnAfter });
      const buffer = domain.allocate(1);
      const first = buffer.accessSync("write");
      const waiting = buffer.access("read");
      if (warnAfter === Infinity) await pause(50);
      first.close();
      (await waiting).close();
      buffer.accessSync("write");
      const left = assert.rejects(buffer.access("read"), { code: "ECANCELED" });
      domain.close();
      await left;
    }
    await pause(300);
    assert.deepEqual(warnings, []);
  });
});

test("calls that begin one after the other warn one after the other, each after its time", PATIENT, async (t) => {
  const domain = createDomain(t, { warnAfter: 60 });
  const [a, b] = [domain.allocate(1, { name: "a" }), domain.allocate(1, { name: "b" })];
  for (const buffer of [a, b]) buffer.accessSync("write");
  const warnings = warningsIn(t);
  const first = timesOut(a.access("read", { timeout: 150 }));
  await pause(40);
  const second = timesOut(b.access("read", { timeout: 150 }));
  await first;
  await second;
  assert.deepEqual(
    warnings.map((text) => /buffer "(.)"/.exec(text)?.[1]),
    ["a", "b"],
  );
});

test("a thread that is blocked warns while it is blocked (long-waits.2)", PATIENT, async (t) => {
  const domain = createDomain(t, { name: "main" });
  const buffer = domain.allocate(1, { name: "mine" });
  const access = buffer.accessSync("write");
  const invitation = domain.invite({ name: "blocked" });
  const code = `
    const { parentPort, workerData } = require("node:worker_threads");
    import(workerData.module).then(({ Domain }) => {
      const domain = Domain.join(workerData.invitation, { warnAfter: 20 });
      process.on("warning", ({ message }) => parentPort.postMessage(message));
      domain.import(workerData.handle).accessSync("read").close();
      domain.close();
    });`;
  const workerData = { module: new URL("./index.js", import.meta.url).href, invitation, handle: buffer.handle() };
  const worker = new Worker(code, { eval: true, workerData, transferList: [invitation.port as never] });
  const ended = once(worker, "exit");
  // The worker is blocked when this comes: this thread keeps what it waits for.
  const [message] = (await once(worker, "message")) as [string];
  assert.equal(message, 'Cannot read buffer "mine" after 20 ms: it waits for agent "main" (option "warnAfter")');
  const more: unknown[] = [];
  worker.on("message", (text) => more.push(text));
  await pause(100);
  access.close();
  await ended;
  assert.deepEqual(more, []);
});
