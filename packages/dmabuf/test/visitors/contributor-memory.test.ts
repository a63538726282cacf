import assert from "node:assert/strict";
import { once } from "node:events";
import process, { getuid } from "node:process";
import { test } from "node:test";
import { rawFormat, type Frame } from "../../src/index.js";
import { codeOf } from "../../src/errors.js";
import { StreamContributor } from "../../src/node/index.js";
import { fileControl } from "../../src/node/system-calls/index.js";
import { isPending, until } from "../agents.js";
import { fill, Visitor } from "./visitors.js";

const LIMITED = { timeout: 120_000 };
const NOBODY = 65534;
const F_SETLEASE = 1024;
const [F_RDLCK, F_UNLCK] = [0, 2];
const OTHER_USER = { ...LIMITED, skip: getuid?.() === 0 ? false : "only root can start a process of another user" };
/** Milliseconds in which nothing may come. */
const A_WHILE = { timeout: 50 };

/** That a contributor has the memory which it was lent, and no longer than it was. */

for (const kept of ["mapping", "descriptor", "child"] as const) {
  test(
    `what a contributor can still write to is not published: it has kept its ${kept} (contributor-server.1)`,
    LIMITED,
    async (t) => {
      const { stream, place, server } = fill(t);
      const visitor = new Visitor(t);
      await visitor.contribute(place);
      await visitor.take();
      const child = kept === "child" ? ((await visitor.ask({ do: "child" })) as number) : undefined;
      t.after(() => child !== undefined && kill(child));
      if (kept !== "mapping") await visitor.ask({ do: "unmap" });
      if (kept !== "descriptor") await visitor.ask({ do: "close" });
      await visitor.say({ publish: {} });
      assert.equal((await visitor.hear())!.code, "EBUSY");
      assert.equal(await visitor.hear(), undefined);
      // contributor-server.2
      assert.equal(stream.published, 0);
      assert.equal(await stream.loan(A_WHILE).catch(codeOf), "ETIMEDOUT");
      assert.equal(server.withheld, 1);
      if (kept === "child") kill(child!);
      else if (kept === "mapping") await visitor.ask({ do: "unmap" });
      else await visitor.ask({ do: "close" });
      using loan = await stream.loan({ timeout: 60_000 });
      assert.equal(server.withheld, 0);
      loan!.publish();
    },
  );
}

test(
  "a blank comes back when the last writer has ended, also that of a drop and of an end (contributor-server.2)",
  LIMITED,
  async (t) => {
    for (const words of [{ drop: true }, { end: true }]) {
      const { stream, place } = fill(t);
      const visitor = new Visitor(t);
      await visitor.contribute(place);
      await visitor.take();
      await visitor.ask({ do: "close" });
      await visitor.say(words);
      while ((await visitor.hear()) !== undefined);
      assert.equal(await stream.loan(A_WHILE).catch(codeOf), "ETIMEDOUT");
      await visitor.kill();
      (await stream.loan({ timeout: 60_000 }))!.close();
    }
  },
);

test(
  "blanks that are out are no more than there may be contributors: a later one waits (contributor-server.3)",
  LIMITED,
  async (t) => {
    const { stream, place } = fill(t, { buffers: 4 });
    const rogue = new Visitor(t);
    await rogue.contribute(place);
    await rogue.take();
    await rogue.say({ publish: {} });
    assert.equal((await rogue.hear())!.code, "EBUSY");
    using next = await StreamContributor.connect(place);
    const loan = next.loan();
    assert.equal(await isPending(loan), true);
    await assert.rejects(next.loan(A_WHILE), { code: "ETIMEDOUT" });
    // The stream's own producer has the others.
    for (const own of [await stream.loan(), await stream.loan(), await stream.loan()]) own!.close();
    await rogue.kill();
    await (await loan)!.publish();
    assert.equal(stream.published, 1);
  },
);

test(
  "a contributor of another user has no way back to what it has published (lent-memory.1)",
  OTHER_USER,
  async (t) => {
    const warned = t.mock.method(process, "emitWarning", () => {});
    const stranger = new Visitor(t, NOBODY);
    assert.equal((await stranger.contribute(fill(t).place))?.code, "EACCES");
    assert.equal(warned.mock.callCount(), 1);
    const { stream, place } = fill(t, { users: [NOBODY] });
    using consumer = stream.frames();
    const visitor = new Visitor(t, NOBODY);
    await visitor.contribute(place);
    await visitor.take();
    assert.equal(await visitor.ask({ do: "reopen" }), "EACCES");
    await visitor.ask({ do: "write", value: 5 });
    await visitor.letGo();
    await visitor.say({ publish: {} });
    assert.deepEqual(await visitor.hear(), { published: 0 });
    using frame = (await consumer.next())!;
    assert.ok(frame.bytes.every((byte) => byte === 5));
  },
);

test(
  "only frames that are each a file of their own, of this thread's stream, are lent (lent-memory.3)",
  LIMITED,
  async (t) => {
    const { domain, stream, place } = fill(t);
    const other = `${place} too`;
    const sealed = domain.createStream({ format: rawFormat(64), sealed: true });
    assert.throws(() => domain.serveContributors(other, sealed), { code: "EPERM" });
    using received = domain.import(stream.handle());
    assert.throws(() => domain.serveContributors(other, received), { code: "EPERM" });
  },
);

test("memory that a member has opened to write is not lent (lent-memory.2)", LIMITED, async (t) => {
  const { domain, stream, place } = fill(t);
  const loan = (await stream.loan())!;
  using file = domain.openFile(loan.buffer, { mode: "read-write" });
  loan.close();
  using contributor = await StreamContributor.connect(place);
  await assert.rejects(contributor.loan(), { code: "EBUSY" });
  file.close();
  using again = await StreamContributor.connect(place);
  assert.equal(await (await again.loan())!.publish(), 0);
});

test(
  "a lease that a process of the same user has on a frame's memory makes no server wait (lent-memory.4)",
  LIMITED,
  async (t) => {
    const { domain, stream, place } = fill(t);
    const loan = (await stream.loan())!;
    using file = domain.openFile(loan.buffer);
    loan.close();
    fileControl(file.descriptor, F_SETLEASE, F_RDLCK);
    // The kernel tells the holder by a signal that would end it.
    const told = once(process, "SIGIO");
    using contributor = await StreamContributor.connect(place);
    await assert.rejects(contributor.loan(), { code: "EAGAIN" });
    await told;
    fileControl(file.descriptor, F_SETLEASE, F_UNLCK);
    using again = await StreamContributor.connect(place);
    assert.equal(await (await again.loan())!.publish(), 0);
  },
);

function kill(child: number): void {
  try {
    process.kill(child, "SIGKILL");
  } catch {
    // It has ended.
  }
}

/** How many frames a contributor publishes while another one cheats. */
const MANY = 10_000;

test(
  "a frame that was published never changes, whatever its contributors write later",
  { timeout: 400_000 },
  async (t) => {
    const { stream, place, server } = fill(t, { buffers: 4, contributors: 2 });
    using consumer = stream.frames();
    let isDone = false;
    const honest = async (): Promise<void> => {
      using contributor = await StreamContributor.connect(place);
      for (let i = 0; i < MANY; i++) {
        using loan = (await contributor.loan())!;
        const { bytes } = loan;
        bytes.fill(i);
        await loan.publish({ timestamp: i });
        // Where the runtime cannot take it back, it is a view of nothing that is shared.
        if (bytes.length > 0) bytes.fill(255 - i);
      }
      isDone = true;
    };
    /** It keeps its mapping, says that it has published, and writes. */
    const cheat = async (): Promise<number> => {
      const visitor = new Visitor(t);
      let caught = 0;
      while (!isDone) {
        await visitor.contribute(place);
        await visitor.take();
        await visitor.ask({ do: "close" });
        await visitor.ask({ do: "write", value: caught });
        await visitor.say({ publish: { timestamp: -1 } });
        if ((await visitor.hear())?.code === "EBUSY") caught += 1;
        await visitor.ask({ do: "write", value: caught });
        await visitor.ask({ do: "unmap" });
      }
      return caught;
    };
    const work = [honest(), cheat()] as const;
    const held: Frame[] = [];
    const check = ({ bytes, timestamp }: Frame): void => {
      if (bytes.some((byte) => byte !== (timestamp & 255))) assert.fail(`frame ${timestamp} has changed`);
    };
    for (let i = 0; i < MANY; i++) {
      const frame = (await consumer.next())!;
      assert.equal(frame.timestamp, i);
      check(frame);
      held.push(frame);
      if (held.length < 2) continue;
      // It was published before others were lent.
      const oldest = held.shift()!;
      check(oldest);
      oldest.close();
    }
    for (const frame of held) frame.close();
    const [, caught] = await Promise.all(work);
    assert.ok(caught > 0);
    assert.equal(stream.published, MANY);
    await until(() => server.withheld === 0);
  },
);
