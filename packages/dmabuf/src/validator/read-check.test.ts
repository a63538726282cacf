/** A write through what only reads is noticed at its end; nothing else is (read-check.1 to read-check.4). */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createValidated, joinValidated } from "../../test/validated.js";
import type { DmaBuf } from "../buffer/buffer.js";
import type { CpuAccess } from "../buffer/cpu-access.js";
import { rawFormat } from "../stream/format.js";

const LIMIT = { timeout: 60_000 };
const FOUND = ["write-through-read"];

describe("a write through what only reads", () => {
  test("is reported at the end of the access, once, with the byte (read-check.1)", LIMIT, async (t) => {
    const { domain, reports, takeCodes } = createValidated(t);
    const buffer = domain.allocate(4096, { name: "mine" });
    for (let i = 0; i < 2; i++) {
      using access = await buffer.access("read");
      access.bytes[5] = i + 1;
      assert.equal(reports.length, i);
    }
    assert.deepEqual(takeCodes(), FOUND);
    assert.match(reports[0]!.message, /^An access to read buffer "mine" only reads, and byte 5 was written/);
    assert.match(reports[0]!.url, /#write-through-read$/);
  });

  test("names those that read at the same time", LIMIT, async (t) => {
    const { domain, reports } = createValidated(t);
    const other = joinValidated(t, domain, "friend");
    const buffer = domain.allocate(4096);
    using _theirs = await other.domain.import(buffer.handle("read")).access("read");
    (await writeThroughRead(buffer)).close();
    assert.match(reports[0]!.message, /\(here, or by another that reads: agent "friend"\)/);
  });

  test("of a frame is reported", LIMIT, async (t) => {
    const { domain, reports, takeCodes } = createValidated(t);
    const stream = domain.createStream({ format: rawFormat(16), name: "camera" });
    const consumer = stream.frames();
    (await stream.loan())!.publish();
    {
      using frame = (await consumer.next())!;
      frame.bytes.fill(1);
    }
    assert.deepEqual(takeCodes(), FOUND);
    assert.match(reports[0]!.message, /^A frame of stream "camera" only reads/);
  });

  test("of a frame after many is reported sooner or later (read-check.4)", LIMIT, async (t) => {
    const { domain, takeCodes } = createValidated(t);
    const stream = domain.createStream({ format: rawFormat(16), buffers: 2 });
    const consumer = stream.frames();
    const pass = async (count: number, use: (bytes: Uint8Array) => void): Promise<void> => {
      for (let i = 0; i < count; i++) {
        (await stream.loan())!.publish();
        using frame = (await consumer.next())!;
        use(frame.bytes);
      }
    };
    await pass(300, (bytes) => void bytes[0]);
    assert.deepEqual(takeCodes(), []);
    let written = 0;
    await pass(40, (bytes) => void bytes.fill(++written));
    assert.deepEqual(takeCodes(), FOUND);
  });

  test("of a job is reported", LIMIT, async (t) => {
    const { domain, reports, takeCodes } = createValidated(t);
    const buffer = domain.allocate(4096, { name: "mine" });
    using queue = domain.createQueue({ run: (job) => void job.access(buffer).bytes.fill(1) });
    await (await queue.submit({ reads: [buffer] })).wait();
    assert.deepEqual(takeCodes(), FOUND);
    assert.match(reports[0]!.message, /^A job's access to read "mine" only reads/);
  });

  test("of a large buffer: a long run always, one byte sooner or later (read-check.3)", LIMIT, async (t) => {
    const { domain, takeCodes } = createValidated(t, {}, { compare: 64 });
    const [long, short] = [domain.allocate(65_536, { name: "long" }), domain.allocate(65_536, { name: "short" })];
    {
      using access = await long.access("read");
      access.bytes.fill(1, 30_000, 30_000 + 1024);
    }
    assert.deepEqual(takeCodes(), FOUND);
    let rounds = 0;
    for (; takeCodes().length === 0 && rounds < 2000; rounds++) {
      using access = await short.access("read");
      access.bytes[40_000] = (rounds % 255) + 1;
    }
    assert.ok(rounds < 2000);
  });
});

describe("nothing is said of", () => {
  test("who reads, who writes, and what is written between two accesses", LIMIT, async (t) => {
    const { domain, takeCodes } = createValidated(t);
    const buffer = domain.allocate(4096);
    const stream = domain.createStream({ format: rawFormat(16) });
    const consumer = stream.frames();
    for (let i = 0; i < 10; i++) {
      for (const mode of ["write", "read"] as const) {
        using access = await buffer.access(mode);
        if (mode === "write") access.bytes.fill(i);
      }
      using loan = (await stream.loan())!;
      loan.bytes.fill(i);
      loan.publish();
      using frame = (await consumer.next())!;
      assert.equal(frame.bytes[0], i);
    }
    assert.deepEqual(takeCodes(), []);
  });

  test("a device whose fence was added while the access lasted (read-check.2)", LIMIT, async (t) => {
    const { domain, takeCodes } = createValidated(t);
    const buffer = domain.allocate(4096);
    const timeline = domain.createTimeline();
    const access = await buffer.access("read");
    {
      using _lock = buffer.reservation.lockSync();
      buffer.reservation.reserveFences(1);
      buffer.reservation.addFence(timeline.createFence(), "write");
    }
    new Uint8Array(buffer.segments[0]!.memory).fill(1);
    timeline.signal(1);
    access.close();
    assert.deepEqual(takeCodes(), []);
  });

  test("a buffer that is mapped without synchronization (read-check.2)", LIMIT, async (t) => {
    const { domain, takeCodes } = createValidated(t);
    const buffer = domain.allocate(4096);
    using map = buffer.mmap();
    using access = await buffer.access("read");
    map.bytes[0] = 1;
    access.close();
    assert.deepEqual(takeCodes(), []);
  });
});

async function writeThroughRead(buffer: DmaBuf): Promise<CpuAccess> {
  const access = await buffer.access("read");
  access.bytes[0]!++;
  return access;
}
