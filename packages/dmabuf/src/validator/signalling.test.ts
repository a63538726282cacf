import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, test } from "node:test";
import { createValidated, joinValidated, type Validated } from "../../test/validated.js";
import { Domain } from "../index.js";

const LIMIT = { timeout: 60_000 };

/** What must not be done in a section, by its code. */
const FORBIDDEN: Record<string, (validated: Validated) => unknown> = {
  "wait-in-signalling": async ({ domain }) => {
    const fence = domain.createTimeline().createFence();
    fence.signal();
    await domain.signalling(() => fence.wait());
  },
  "lock-in-signalling": ({ domain }) => {
    const buffer = domain.allocate(4096);
    return domain.signalling(async () => (await buffer.reservation.lock()).close());
  },
  "allocate-in-signalling": ({ domain }) => domain.signalling(() => domain.allocate(4096).close()),
};

describe("in a signalling section this is reported, and outside of it is not:", () => {
  for (const [code, run] of Object.entries(FORBIDDEN)) {
    test(code, LIMIT, async (t) => {
      const validated = createValidated(t);
      await run(validated);
      assert.deepEqual(validated.takeCodes(), [code]);
      const [report] = validated.reports;
      assert.deepEqual(
        report?.places.map(({ what }) => what),
        ["The section has begun", "That is done"],
      );
      for (const { where } of report?.places ?? []) assert.match(where, /signalling\.test/);
    });
  }

  test("request-in-signalling", LIMIT, async (t) => {
    const validated = createValidated(t);
    const other = joinValidated(t, validated.domain);
    const segments = [{ memory: new SharedArrayBuffer(4096), offset: 0, length: 4096 }];
    const ops = { map: () => segments, unmap() {}, release() {}, beginCpuAccess() {} };
    const buffer = validated.domain.export(segments, { ops });
    const theirs = other.domain.import(buffer.handle());
    (await theirs.access("read")).close();
    assert.deepEqual(other.takeCodes(), []);
    await other.domain.signalling(async () => (await theirs.access("read")).close());
    assert.ok(other.takeCodes().includes("request-in-signalling"));
  });
});

test("a try waits for nothing, and may be made", LIMIT, (t) => {
  const { domain, takeCodes } = createValidated(t);
  const buffer = domain.allocate(4096);
  domain.signalling(() => {
    buffer.reservation.tryLock()?.close();
    buffer.tryAccess("read")?.close();
  });
  assert.deepEqual(takeCodes(), []);
});

test("a section goes on over awaits, and what is begun in it is inside", LIMIT, async (t) => {
  const { domain, takeCodes } = createValidated(t);
  const helper = async (): Promise<void> => {
    await sleep(1);
    domain.allocate(4096).close();
  };
  await domain.signalling(async () => {
    await sleep(1);
    await helper();
  });
  assert.deepEqual(takeCodes(), ["allocate-in-signalling"]);
  await helper();
  assert.deepEqual(takeCodes(), []);
});

test(
  "a section by `using` ends with its scope, and begin and end need not be in one turn (signalling.1)",
  LIMIT,
  async (t) => {
    const { domain, takeCodes } = createValidated(t);
    {
      using _section = domain.signallingSection();
      await sleep(1);
      domain.allocate(1).close();
    }
    assert.deepEqual(takeCodes(), ["allocate-in-signalling"]);
    domain.allocate(2).close();
    const cookie = domain.beginSignalling();
    await sleep(1);
    domain.createTimeline().close();
    domain.endSignalling(cookie);
    domain.createTimeline().close();
    assert.deepEqual(takeCodes(), ["allocate-in-signalling"]);
  },
);

test("a section in a section changes nothing: the outer one goes on after its end (signalling.1)", LIMIT, (t) => {
  const { domain, takeCodes } = createValidated(t);
  const outer = domain.beginSignalling();
  domain.endSignalling(domain.beginSignalling());
  domain.allocate(1).close();
  assert.deepEqual(takeCodes(), ["allocate-in-signalling"]);
  domain.endSignalling(outer);
  domain.allocate(2).close();
  assert.deepEqual(takeCodes(), []);
});

test("the section of a task that was begun is not its caller's (signalling.2)", LIMIT, async (t) => {
  const { domain, takeCodes } = createValidated(t);
  const task = async (): Promise<void> => {
    const cookie = domain.beginSignalling();
    await sleep(5);
    domain.endSignalling(cookie);
  };
  const running = task();
  domain.allocate(1).close();
  await sleep(1);
  domain.allocate(2).close();
  await running;
  assert.deepEqual(takeCodes(), []);
});

test("what is ended twice, and what is never ended, is unbalanced", LIMIT, (t) => {
  const { domain, reports, takeCodes } = createValidated(t);
  const cookie = domain.beginSignalling();
  domain.endSignalling(cookie);
  domain.endSignalling(cookie);
  domain.beginSignalling();
  domain.close();
  assert.deepEqual(takeCodes(), ["unbalanced-signalling", "unbalanced-signalling"]);
  for (const { places } of reports) assert.match(places[0]?.where ?? "", /signalling\.test/);
});

test("a function that fails ends its section, and what it threw comes out", LIMIT, async (t) => {
  const { domain, takeCodes } = createValidated(t);
  const failing = (): never => {
    throw new Error("failed");
  };
  assert.throws(() => domain.signalling(failing), /failed/);
  await assert.rejects(
    domain.signalling(async () => failing()),
    /failed/,
  );
  domain.allocate(1).close();
  domain.close();
  assert.deepEqual(takeCodes(), []);
});

test("the jobs of a queue can be sections", LIMIT, async (t) => {
  const { domain, reports, takeCodes } = createValidated(t);
  const buffer = domain.allocate(4096);
  for (const signalling of [false, true]) {
    using queue = domain.createQueue({
      name: "jobs",
      signalling,
      async run(job) {
        job.access(buffer).bytes.fill(1);
        await sleep(1);
        domain.allocate(1).close();
      },
    });
    await (await queue.submit({ writes: [buffer] })).result();
  }
  assert.deepEqual(takeCodes(), ["allocate-in-signalling"]);
  assert.match(reports[0]?.message ?? "", /a buffer is taken from the domain/);
});

test("in a domain that is not validated sections do nothing", () => {
  using domain = Domain.create({ validate: false });
  const cookie = domain.beginSignalling();
  domain.allocate(1).close();
  domain.endSignalling(cookie);
  domain.endSignalling(cookie);
  using _section = domain.signallingSection();
  assert.equal(
    domain.signalling(() => 7),
    7,
  );
  assert.deepEqual(domain.reports, []);
});
