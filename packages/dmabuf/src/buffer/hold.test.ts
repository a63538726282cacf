import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createDomain, DIES, isPending, joinDomain, joinMortal } from "../../test/agents.js";
import { BLOCKS } from "../../test/blocking.js";
import type { DmaBuf } from "./buffer.js";

/** One buffer as two agents see it. */
function shared(t: Parameters<typeof createDomain>[0]): { mine: DmaBuf; theirs: DmaBuf; others: DmaBuf } {
  const domain = createDomain(t);
  const mine = domain.allocate(1);
  const [theirs, others] = [1, 2].map(() => joinDomain(t, domain).import(mine.handle()));
  return { mine, theirs: theirs!, others: others! };
}

describe("accesses of several agents (hold.1)", () => {
  test("any number of readers share a buffer", (t) => {
    const { mine, theirs, others } = shared(t);
    for (const buffer of [mine, theirs, others, theirs]) assert.notEqual(buffer.tryAccess("read"), undefined);
  });

  test("a reader keeps writers out, and a writer keeps all others out", (t) => {
    const { mine, theirs } = shared(t);
    using reading = mine.tryAccess("read");
    assert.equal(theirs.tryAccess("write"), undefined);
    reading![Symbol.dispose]();
    using writing = theirs.tryAccess("write");
    assert.notEqual(writing, undefined);
    for (const mode of ["read", "write"] as const) assert.equal(mine.tryAccess(mode), undefined);
  });

  test("one that was refused leaves nothing behind", (t) => {
    const { mine, theirs, others } = shared(t);
    const writing = mine.tryAccess("write")!;
    theirs.tryAccess("read");
    theirs.tryAccess("write");
    writing[Symbol.dispose]();
    others.tryAccess("write")![Symbol.dispose]();
    const reading = mine.tryAccess("read")!;
    theirs.tryAccess("write");
    assert.notEqual(others.tryAccess("read"), undefined);
    reading[Symbol.dispose]();
  });

  test("a writer gets the buffer when the last reader has ended", { timeout: 10_000 }, async (t) => {
    const { mine, theirs, others } = shared(t);
    const readers = [mine.tryAccess("read")!, mine.tryAccess("read")!, others.tryAccess("read")!];
    const writing = theirs.access("write");
    for (const reader of readers) {
      assert.equal(await isPending(writing), true);
      reader[Symbol.dispose]();
    }
    await writing;
  });

  test("waiting readers all get the buffer when the writer has ended", { timeout: 10_000 }, async (t) => {
    const { mine, theirs, others } = shared(t);
    const writing = mine.tryAccess("write")!;
    const readers = [theirs.access("read"), others.access("read"), theirs.access("read")];
    for (const reader of readers) assert.equal(await isPending(reader), true);
    writing[Symbol.dispose]();
    await Promise.all(readers);
  });

  test("waiting writers get the buffer one after the other", { timeout: 10_000 }, async (t) => {
    const { mine, theirs, others } = shared(t);
    let writers = 0;
    const write = async (buffer: DmaBuf): Promise<void> => {
      using access = await buffer.access("write");
      assert.equal(++writers, 1);
      const count = access.bytes[0]!;
      await isPending(new Promise(() => {}));
      access.bytes[0] = count + 1;
      writers--;
    };
    await Promise.all([mine, theirs, others, theirs, mine].map(write));
    assert.equal(mine.tryAccess("read")!.bytes[0], 5);
  });

  test("the statistics name the readers and the writer", (t) => {
    const domain = createDomain(t);
    const buffer = domain.allocate(1);
    const theirs = joinDomain(t, domain, "other").import(buffer.handle());
    const readings = [buffer.tryAccess("read")!, theirs.tryAccess("read")!];
    assert.deepEqual(domain.statistics()[0]!.readers, ["main", "other"]);
    for (const reading of readings) reading[Symbol.dispose]();
    theirs.tryAccess("write");
    const [{ readers, writer }] = domain.statistics() as [ReturnType<typeof domain.statistics>[number]];
    assert.deepEqual({ readers, writer }, { readers: [], writer: "other" });
  });
});

describe("accesses within one agent (hold.1)", () => {
  test("readers share the buffer, and the agent's hold lasts until the last has ended", (t) => {
    const { mine, theirs } = shared(t);
    const [first, second] = [mine.tryAccess("read")!, mine.duplicate().tryAccess("read")!];
    first[Symbol.dispose]();
    assert.equal(theirs.tryAccess("write"), undefined);
    second[Symbol.dispose]();
    assert.notEqual(theirs.tryAccess("write"), undefined);
  });

  test("a writer excludes readers and writers through other holders too", { timeout: 10_000 }, async (t) => {
    const { mine } = shared(t);
    const other = mine.duplicate();
    const writing = mine.tryAccess("write")!;
    assert.equal(other.tryAccess("read"), undefined);
    const next = other.access("write");
    assert.equal(await isPending(next), true);
    writing[Symbol.dispose]();
    (await next)[Symbol.dispose]();
    assert.notEqual(mine.tryAccess("read"), undefined);
  });

  test("a reader that asks to write waits for itself, until its time is over", { timeout: 10_000 }, async (t) => {
    const { mine, theirs } = shared(t);
    using _reading = mine.tryAccess("read");
    await assert.rejects(mine.access("write", { timeout: 5 }), { code: "ETIMEDOUT" });
    assert.notEqual(theirs.tryAccess("read"), undefined);
  });
});

describe("a writer that waits (hold.4)", () => {
  test("holds new readers up, and gets the buffer before them", { timeout: 10_000 }, async (t) => {
    const { mine, theirs, others } = shared(t);
    const order: string[] = [];
    const reading = mine.tryAccess("read")!;
    const writing = theirs.access("write").then((access) => {
      order.push("writer");
      access[Symbol.dispose]();
    });
    assert.equal(others.tryAccess("read"), undefined);
    const late = others.access("read").then(() => order.push("reader"));
    assert.equal(await isPending(late), true);
    reading[Symbol.dispose]();
    await Promise.all([writing, late]);
    assert.deepEqual(order, ["writer", "reader"]);
  });

  test("lets an agent that reads already read once more", { timeout: 10_000 }, async (t) => {
    const { mine, theirs } = shared(t);
    using _reading = mine.tryAccess("read");
    const writing = theirs.access("write", { timeout: 20 });
    assert.notEqual(mine.tryAccess("read"), undefined);
    await assert.rejects(writing, { code: "ETIMEDOUT" });
  });

  for (const [end, wait] of Object.entries({
    "gives up after its time": (buffer: DmaBuf) => buffer.access("write", { timeout: 20 }),
    "is aborted": (buffer: DmaBuf) => buffer.access("write", { signal: AbortSignal.timeout(20) }),
    "closes the buffer": (buffer: DmaBuf) => {
      setTimeout(() => buffer.close(), 20);
      return buffer.access("write");
    },
  })) {
    test(`and ${end} lets the readers behind it in`, { timeout: 10_000 }, async (t) => {
      const { mine, theirs, others } = shared(t);
      using _reading = mine.tryAccess("read");
      const writing = wait(theirs);
      const late = others.access("read");
      await assert.rejects(writing);
      await late;
      assert.notEqual(mine.tryAccess("read"), undefined);
    });
  }

  test("and dies lets the readers behind it in", DIES, async (t) => {
    const domain = createDomain(t);
    const buffer = domain.allocate(1);
    const { domain: mortal, die } = joinMortal(domain);
    using _reading = buffer.tryAccess("read");
    void mortal
      .import(buffer.handle())
      .access("write", { unref: true })
      .catch(() => {});
    const late = joinDomain(t, domain).import(buffer.handle()).access("read");
    assert.equal(await isPending(late), true);
    await die();
    await late;
  });
});

describe("an agent that dies (hold.5)", () => {
  for (const mode of ["read", "write"] as const) {
    test(`while it holds the buffer to ${mode} it lets the others in`, DIES, async (t) => {
      const domain = createDomain(t);
      const buffer = domain.allocate(1);
      const { domain: mortal, die } = joinMortal(domain);
      await mortal.import(buffer.handle()).access(mode);
      const writing = buffer.access("write");
      assert.equal(await isPending(writing), true);
      await die();
      await writing;
    });
  }
});

describe("accessSync()", () => {
  test("gives the buffer at once if it is free, also where blocking is forbidden", (t) => {
    const { mine, theirs } = shared(t);
    mine.accessSync("read")[Symbol.dispose]();
    mine.accessSync("write")[Symbol.dispose]();
    theirs.accessSync("write");
    assert.throws(() => mine.accessSync("read", { timeout: 0 }), { code: "ETIMEDOUT" });
  });

  test("gives up after its time and leaves nothing behind", { ...BLOCKS, timeout: 10_000 }, (t) => {
    const { mine, theirs, others } = shared(t);
    const reading = mine.accessSync("read");
    const start = performance.now();
    assert.throws(() => theirs.accessSync("write", { timeout: 20 }), { code: "ETIMEDOUT", message: /in 20 ms/ });
    assert.ok(performance.now() - start >= 19, "a clock may be a little coarse");
    assert.notEqual(others.tryAccess("read"), undefined);
    reading[Symbol.dispose]();
  });
});

describe("a wait for an access", () => {
  test("is refused with EINVAL for a negative time, and with the reason of a signal that has aborted", async (t) => {
    const { mine, theirs } = shared(t);
    using _writing = mine.tryAccess("write");
    await assert.rejects(theirs.access("read", { timeout: -1 }), { code: "EINVAL" });
    const reason = new Error("changed my mind");
    await assert.rejects(theirs.access("read", { signal: AbortSignal.abort(reason) }), reason);
  });

  test("of 0 ms only looks", async (t) => {
    const { mine, theirs } = shared(t);
    (await theirs.access("write", { timeout: 0 }))[Symbol.dispose]();
    using _reading = mine.tryAccess("read");
    await assert.rejects(theirs.access("write", { timeout: 0 }), { code: "ETIMEDOUT" });
  });

  test("of a holder that is closed is EBADF at once, and holds nothing later", { timeout: 10_000 }, async (t) => {
    const domain = createDomain(t);
    const buffer = domain.allocate(1);
    const worker = joinDomain(t, domain);
    for (const mode of ["read", "write"] as const) {
      const handle = buffer.handle();
      const theirs = worker.import(handle);
      const writing = buffer.tryAccess("write")!;
      const waiting = theirs.access(mode);
      theirs.close();
      await assert.rejects(waiting, { code: "EBADF" });
      // The buffer as this agent knows it now has nothing to do with the wait that has ended.
      const again = worker.import(handle);
      writing[Symbol.dispose]();
      using _reading = again.tryAccess("read");
      assert.equal(buffer.tryAccess("write"), undefined);
      again.close();
    }
  });
});
