import { agentOf } from "../domain-base.js";
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { createDomain, joinDomain, until } from "../../test/agents.js";
import type { Domain } from "../threads.js";
import type { DmaBuf } from "./buffer.js";
import type { ExporterOps } from "./exporter.js";
import { PAGE_SIZE, type StorageSegment } from "./storage.js";

// The end of anything cannot fail: exporter-link.1 of exporter-link.ts, in the exporter's own agent as in any other.

const PATIENT = { timeout: 10_000 };

/** How an exporter's operation fails. */
const FAILURES: Readonly<Record<string, () => unknown>> = {
  throws: () => {
    throw new Error("planned");
  },
  rejects: async () => {
    throw new Error("planned");
  },
};

interface Scene {
  readonly domain: Domain;
  readonly buffer: DmaBuf;
  readonly segment: StorageSegment;
  /** The operations that have run. */
  readonly calls: string[];
  /** What the exporter's agent has reported. */
  readonly warnings: string[];
}

/** A buffer whose exporter notes what it is asked for; each of `failing` then fails. */
function scene(t: TestContext, fail: () => unknown, failing: readonly (keyof ExporterOps)[], more = {}): Scene {
  const domain = createDomain(t);
  const [calls, warnings]: string[][] = [[], []];
  Object.assign(agentOf(domain).host, { warn: (message: string) => void warnings!.push(message) });
  const segment = { memory: new SharedArrayBuffer(PAGE_SIZE), offset: 0, length: PAGE_SIZE };
  const op = (name: keyof ExporterOps, answer?: unknown) => (): never => {
    calls!.push(name);
    return (failing.includes(name) ? fail() : answer) as never;
  };
  const ops: ExporterOps = {
    map: op("map", [segment]),
    unmap: op("unmap"),
    attach: op("attach"),
    detach: op("detach"),
    pin: op("pin"),
    unpin: op("unpin"),
    beginCpuAccess: op("beginCpuAccess"),
    endCpuAccess: op("endCpuAccess"),
    vmap: op("vmap", new Uint8Array(segment.memory)),
    vunmap: op("vunmap"),
    release: op("release"),
    ...more,
  };
  return { domain, buffer: domain.export([segment], { ops }), segment, calls: calls!, warnings: warnings! };
}

const ENDS = ["unmap", "unpin", "detach", "endCpuAccess", "vunmap", "release"] as const;

for (const [how, fail] of Object.entries(FAILURES)) {
  test(`an exporter whose every end ${how} is reported for each, and all is given back`, PATIENT, async (t) => {
    const { domain, buffer, calls, warnings } = scene(t, fail, ENDS);
    const attachment = buffer.attachSync({ name: "importer" });
    const mapping = await attachment.map("read");
    const access = await buffer.access("read");
    using pinning = buffer.attachSync({ name: "display", moveNotify() {} });
    {
      using _lock = await buffer.reservation.lock();
      pinning.pinSync();
      pinning.unpin();
      buffer.vmap();
      buffer.vunmap();
    }
    access[Symbol.dispose]();
    mapping[Symbol.dispose]();
    attachment[Symbol.dispose]();
    pinning[Symbol.dispose]();
    await buffer.beginCpuAccess("write");
    buffer.endCpuAccess("write");
    const free = buffer.tryAccess("write");
    assert.notEqual(free, undefined, "the hold was given back");
    free![Symbol.dispose]();
    assert.equal(domain.statistics()[0]!.attachments, 0);
    buffer.close();
    await until(() => calls.includes("release") && warnings.length >= 10);
    assert.equal(domain.statistics().length, 0);
    const ran = (name: string): number => calls.filter((call) => call === name).length;
    assert.deepEqual(ENDS.map(ran), [1, 2, 2, 3, 1, 1]);
    assert.equal(warnings.length, 10, warnings.join());
    for (const warning of warnings) assert.equal(warning, "An exporter failed: Error: planned");
  });

  test(`a close ends all that a holder has, though each end ${how}`, PATIENT, async (t) => {
    const { domain, buffer, calls } = scene(t, fail, ENDS);
    const attachment = buffer.attachSync();
    await attachment.map();
    await buffer.access("read");
    await buffer.access("read");
    buffer.close();
    await until(() => calls.includes("release"));
    const ends = calls.filter((call) => (ENDS as readonly string[]).includes(call));
    assert.deepEqual(ends, ["endCpuAccess", "endCpuAccess", "unmap", "unpin", "detach", "release"]);
    assert.equal(domain.statistics().length, 0);
  });

  test(`an exporter that cannot map, and whose unpin ${how}, is asked why it cannot map`, PATIENT, async (t) => {
    const refuse = (): never => {
      throw new Error("no such memory");
    };
    const { domain, buffer, warnings } = scene(t, fail, ["unpin"], { map: refuse });
    using attachment = buffer.attachSync();
    await assert.rejects(attachment.map(), /no such memory/);
    const theirs = joinDomain(t, domain).import(buffer.handle());
    using other = await theirs.attach();
    await assert.rejects(other.map(), (error: { code?: string }) => error.code === "EIO");
    await until(() => warnings.length === 2);
    for (const warning of warnings) assert.equal(warning, "An exporter failed: Error: planned");
    await buffer.move([{ memory: new SharedArrayBuffer(PAGE_SIZE), offset: 0, length: PAGE_SIZE }]);
  });
}

test(
  "a mapping that is disposed while another agent has the lock waits for nothing: it ends when the lock opens",
  PATIENT,
  async (t) => {
    const { domain, buffer, calls } = scene(t, () => {}, []);
    const theirs = joinDomain(t, domain).import(buffer.handle());
    const attachment = buffer.attachSync();
    await attachment.map();
    const lock = theirs.reservation.lockSync();
    attachment[Symbol.dispose]();
    buffer.close();
    assert.deepEqual(calls, ["attach", "pin", "map"]);
    lock[Symbol.dispose]();
    await until(() => calls.includes("detach"));
    theirs.close();
    await until(() => calls.includes("release"));
    assert.deepEqual(calls.slice(3), ["unmap", "unpin", "detach", "release"]);
  },
);

test("what is undone for a caller that could not wait cannot fail either", PATIENT, async (t) => {
  const { buffer, warnings } = scene(t, FAILURES["throws"]!, ["endCpuAccess", "detach"], {
    beginCpuAccess: async () => {},
    attach: async () => {},
  });
  assert.throws(() => buffer.accessSync("read"), { code: "EOPNOTSUPP" });
  assert.throws(() => buffer.attachSync(), { code: "EOPNOTSUPP" });
  await until(() => warnings.length === 2);
});

test("an agent that leaves gives back to its own exporter all that it has, with the lock", PATIENT, async (t) => {
  const locked: boolean[] = [];
  const noteLock = (): void => void locked.push(buffer.reservation.isLocked);
  const { domain, buffer, calls } = scene(t, noteLock, ["unmap", "unpin"]);
  await buffer.attachSync().map();
  await buffer.access("read");
  domain.close();
  await until(() => calls.includes("release"));
  assert.deepEqual(calls.slice(4), ["endCpuAccess", "unmap", "unpin", "detach", "release"]);
  assert.deepEqual(locked, [true, true]);
});
