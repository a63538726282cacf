/** What the garbage collector shows: fences whose end no code has any more, and things that were never given back. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createValidated, joinValidated, type Validated } from "../../test/validated.js";
import type { Fence } from "../fence/fence.js";
import type { FenceHandle } from "../fence/fence-handle.js";
import { rawFormat } from "../stream/format.js";
import type { Domain } from "../threads.js";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;
const PATIENT = { timeout: 60_000 };
const FENCE = { driverName: "driver", timelineName: "line" };

/** Collects until there are so many reports, or 15 times. */
async function collected({ reports }: Validated, count: number): Promise<void> {
  for (let turn = 0; turn < 15 && reports.length < count; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    collectGarbage();
  }
}

/** Fences that are handed out, each with what could signal it. */
const HANDED_OUT: Record<string, (domain: Domain) => { readonly fence: Fence; readonly keeps: object }> = {
  "of a timeline": (domain) => {
    const timeline = domain.createTimeline({ name: "gone" });
    return { fence: timeline.createFence(), keeps: timeline };
  },
  "of this thread alone, that was published": (domain) => {
    const fence = domain.createFence({ ...FENCE, timelineName: "gone" });
    return { fence, keeps: fence };
  },
};

describe("a fence that was handed out", () => {
  for (const [kind, make] of Object.entries(HANDED_OUT)) {
    const handOut = (domain: Domain): { handle: FenceHandle; keeps: object } => {
      const { fence, keeps } = make(domain);
      return { handle: fence.handle(), keeps };
    };

    test(`${kind}, is reported when nothing is left that could signal it (fence-ends.1)`, PATIENT, async (t) => {
      const validated = createValidated(t);
      const other = joinValidated(t, validated.domain);
      const theirs = other.domain.import(handOut(validated.domain).handle);
      await collected(validated, 1);
      assert.deepEqual(validated.takeCodes(), ["own-fence"]);
      const [report] = validated.reports;
      assert.match(
        report!.message,
        /^Fence \d+:1 of timeline "gone" is pending, and nothing is left that could signal it/,
      );
      assert.match(report!.places[0]!.where, /forgotten\.test/);
      assert.deepEqual([theirs.isSignaled(), other.takeCodes()], [false, []]);
    });

    test(`${kind}, is not while something could, nor once it has signaled`, PATIENT, async (t) => {
      const validated = createValidated(t);
      const { domain } = validated;
      const { keeps } = handOut(domain);
      (({ fence }) => {
        fence.handle();
        fence.signal();
      })(make(domain));
      await collected(validated, 1);
      assert.deepEqual(validated.takeCodes(), []);
      assert.notEqual(keeps, undefined);
    });

    test(
      `${kind}, is not while code of this thread waits for it, which still calls back (fence-ends.2)`,
      PATIENT,
      async (t) => {
        const validated = createValidated(t, {});
        const seen: number[] = [];
        ((domain: Domain) => {
          const { fence } = make(domain);
          fence.addCallback(({ status }) => void seen.push(status));
          fence.handle();
          setTimeout(() => fence.signal(), 300);
        })(validated.domain);
        await collected(validated, 1);
        assert.deepEqual([validated.takeCodes(), seen], [[], [1]]);
      },
    );
  }

  test("is not if it was handed out to no one", PATIENT, async (t) => {
    const validated = createValidated(t);
    validated.domain.createTimeline().createFence();
    validated.domain.createFence(FENCE);
    await collected(validated, 1);
    assert.deepEqual(validated.takeCodes(), []);
  });

  test("is not if its promise settles later", PATIENT, async (t) => {
    const validated = createValidated(t);
    const handle = validated.domain.fenceFrom(new Promise((resolve) => setTimeout(resolve, 500))).handle();
    await collected(validated, 1);
    assert.equal(await validated.domain.import(handle).wait(), "signaled");
    assert.deepEqual(validated.takeCodes(), []);
  });
});

/** What is in use still, so that only what was taken of it is forgotten. */
const kept: unknown[] = [];

describe("what is never given back is reported with the place where it was taken:", () => {
  const taken: Record<string, (domain: Domain) => unknown> = {
    access: (domain) => domain.allocate(1).access("write"),
    mapping: (domain) => domain.allocate(1).mmap(),
    lock: (domain) => domain.allocate(1).reservation.lock(),
    async frame(domain) {
      const stream = domain.createStream({ format: rawFormat(1) });
      const consumer = stream.frames();
      (await stream.loan())!.publish();
      await consumer.next();
    },
    async "frame of a stream that goes on"(domain) {
      const stream = domain.createStream({ format: rawFormat(1) });
      const consumer = stream.frames();
      kept.push(stream, consumer);
      (await stream.loan())!.publish();
      await consumer.next();
    },
    async "access to read"(domain) {
      const buffer = domain.allocate(1);
      kept.push(buffer);
      assert.notEqual((await buffer.access("read")).bytes.length, 0);
    },
  };
  for (const [what, takeOne] of Object.entries(taken)) {
    test(what, PATIENT, async (t) => {
      const validated = createValidated(t);
      const warnings: string[] = [];
      const heard = ({ message }: Error): void => void warnings.push(message);
      process.on("warning", heard);
      t.after(() => process.off("warning", heard));
      await takeOne(validated.domain);
      await collected(validated, 1);
      const codes = validated.takeCodes();
      assert.equal(codes[0], "never-given-back");
      const { message, places } = validated.reports[0]!;
      assert.match(message, /was forgotten, and is given back now/);
      assert.match(places[0]!.where, new RegExp(`${what}.*forgotten\\.test|forgotten\\.test`));
      assert.deepEqual(warnings, [], "the report takes the place of the warning");
    });
  }
});
