/** Areas H, I and J: buffers, and their fences through descriptors. */
import assert from "node:assert/strict";
import { PAGE_SIZE, type AccessMode } from "../../../src/index.js";
import { fails } from "../support.js";
import type { BufferLike, CommonCase, World } from "./world.js";

interface Both {
  readonly read: boolean;
  readonly write: boolean;
}

const BOTH: Both = { read: true, write: true };
const NEITHER: Both = { read: false, write: false };
const READ_ONLY: Both = { read: true, write: false };
const PENDING: readonly (readonly [AccessMode, Both])[] = [
  ["read", READ_ONLY],
  ["write", NEITHER],
];

export const BUFFER_CASES: readonly CommonCase[] = [
  {
    id: "DBF-03",
    fact: "a buffer of page << 0..9 bytes ends exactly there",
    run(world) {
      for (let shift = 0; shift <= 9; shift++) {
        const buffer = world.allocate(PAGE_SIZE << shift);
        assert.equal(buffer.seek(0, "end"), PAGE_SIZE << shift);
      }
    },
  },
  {
    id: "DBF-04",
    fact: "no place but the start and the end can be sought",
    run(world) {
      const buffer = world.allocate(4 * PAGE_SIZE);
      fails("EINVAL", () => buffer.seek(-1, "end"));
      for (const offset of [1, buffer.size, buffer.size - 1]) fails("EINVAL", () => buffer.seek(offset, "set"));
    },
  },
  {
    id: "DBF-05",
    fact: "seeking to the end gives the size, to the start 0",
    run(world) {
      const buffer = world.allocate(4 * PAGE_SIZE);
      assert.deepEqual([buffer.seek(0, "end"), buffer.seek(0, "set")], [4 * PAGE_SIZE, 0]);
    },
  },
  {
    id: "DBF-06",
    fact: "a range of pages maps only if it lies in the buffer",
    run(world) {
      const buffer = world.allocate(4 * PAGE_SIZE);
      const map = buffer.map({ length: 4 * PAGE_SIZE });
      assert.equal(map.bytes.length, 4 * PAGE_SIZE);
      map.close();
      fails("EINVAL", () => buffer.map({ length: 5 * PAGE_SIZE }));
      fails("EINVAL", () => buffer.map({ offset: 3 * PAGE_SIZE, length: 2 * PAGE_SIZE }));
    },
  },
  {
    id: "DBF-08",
    fact: "a mapping outlives the holder it was made of",
    run(world) {
      const buffer = world.allocate(PAGE_SIZE);
      const map = buffer.map();
      map.bytes.fill(0x5a);
      buffer.close();
      assert.equal(
        map.bytes.every((byte) => byte === 0x5a),
        true,
      );
      map.close();
    },
  },
  {
    id: "DBF-09",
    fact: "what was written through one mapping is in the next",
    run(world) {
      const buffer = world.allocate(PAGE_SIZE);
      const first = buffer.map();
      first.bytes.fill(7);
      first.close();
      const second = buffer.map();
      assert.equal(second.bytes[PAGE_SIZE - 1], 7);
      second.close();
    },
  },
  {
    id: "DBF-11",
    fact: "another holder goes on when the first is closed",
    run(world) {
      const buffer = world.allocate(PAGE_SIZE);
      const other = buffer.another();
      buffer.close();
      const map = other.map();
      assert.equal(map.bytes.length, PAGE_SIZE);
      map.close();
    },
  },
  {
    id: "DBF-14",
    fact: "a name has 0 to 31 characters",
    run(world) {
      const buffer = world.allocate(PAGE_SIZE);
      buffer.setName("n".repeat(31));
      assert.equal(buffer.shownName, "n".repeat(31));
      fails("EINVAL", () => buffer.setName("n".repeat(32)));
      assert.equal(buffer.shownName, "n".repeat(31));
      buffer.setName("");
    },
  },
  {
    id: "DBF-17",
    fact: "an access to read waits for the writer's fence",
    async run(world) {
      const { buffer, work } = world.deviceBuffer();
      const end = work("write");
      await assert.rejects(buffer.begin("read", { timeout: 20 }), { code: "ETIMEDOUT" });
      const reading = buffer.begin("read");
      end();
      await reading;
      buffer.end("read");
    },
  },
  {
    id: "DBF-18",
    fact: "behind a reader's fence a reader goes on, and a writer waits",
    async run(world) {
      const { buffer, work } = world.deviceBuffer();
      const end = work("read");
      await buffer.begin("read");
      buffer.end("read");
      await assert.rejects(buffer.begin("write", { timeout: 20 }), { code: "ETIMEDOUT" });
      end();
      await buffer.begin("write");
      buffer.end("write");
    },
  },
  {
    id: "DBF-20",
    fact: "the end of an access waits for nothing",
    async run(world) {
      const { buffer, work } = world.deviceBuffer();
      await buffer.begin("write");
      const end = work("write");
      buffer.end("write");
      end();
    },
  },
  {
    id: "IMP-01",
    fact: "an idle buffer is ready to be read and written",
    run: (world) => assert.deepEqual(ready(world.allocate(PAGE_SIZE)), BOTH),
  },
  ...polled("IMP-02", "a pending reader keeps a buffer from being written, not from being read", "read", READ_ONLY),
  ...polled("IMP-03", "a pending writer keeps a buffer from being read and written", "write", NEITHER),
  {
    id: "IMP-04",
    fact: "work from before a holder was made counts for it too",
    run(world) {
      for (const [mode, pending] of PENDING) {
        const { buffer, work } = world.deviceBuffer();
        const end = work(mode);
        const other = buffer.another();
        assert.deepEqual(ready(other), pending);
        end();
        assert.deepEqual(ready(other), BOTH);
      }
    },
  },
  ...exportedOf(
    "IMP-05",
    "a pending reader is in what writers wait for, and not in what readers wait for",
    "read",
    READ_ONLY,
  ),
  ...exportedOf("IMP-06", "a pending writer is in what readers and writers wait for", "write", NEITHER),
  {
    id: "IMP-07",
    fact: "a sync file that was exported becomes ready with its fences, and later ones are not in it",
    run(world) {
      const { buffer, work } = world.deviceBuffer();
      const end = work("write");
      const before = [buffer.exportSyncFile("read"), buffer.exportSyncFile("write")];
      assert.deepEqual(
        before.map((file) => file.isReady()),
        [false, false],
      );
      end();
      const late = work("write");
      assert.deepEqual(
        before.map((file) => file.isReady()),
        [true, true],
      );
      late();
    },
  },
  ...imported("IMP-08", "a point imported for reading keeps writers away, and not readers", "read", READ_ONLY),
  ...imported("IMP-09", "a point imported for writing keeps readers and writers away", "write", NEITHER),
  {
    id: "IMP-10",
    fact: "what was imported is done when the timeline has come there",
    run(world) {
      for (const [mode] of PENDING) {
        const timeline = world.timeline();
        const buffer = world.allocate(PAGE_SIZE);
        buffer.importSyncFile(mode, timeline.fence(1));
        timeline.advance();
        assert.deepEqual([ready(buffer), exported(buffer)], [BOTH, BOTH]);
      }
    },
  },
  {
    id: "IMP-13",
    fact: "an idle buffer exports a signaled fence",
    run(world) {
      const file = world.allocate(PAGE_SIZE).exportSyncFile("write");
      assert.deepEqual([file.isReady(), file.status, file.info().fences[0]!.driverName], [true, 1, "stub"]);
    },
  },
  {
    id: "IMP-14",
    fact: "a merge of three timelines is imported as three fences",
    run(world) {
      const buffer = world.allocate(PAGE_SIZE);
      const timelines = [1, 2, 3].map(() => world.timeline());
      const files = timelines.map((timeline) => timeline.fence(1));
      buffer.importSyncFile(
        "write",
        files.reduce((merged, file) => world.merge("", merged, file)),
      );
      assert.equal(buffer.exportSyncFile("read").info().fences.length, 3);
      timelines[0]!.advance();
      assert.equal(buffer.exportSyncFile("read").info().fences.length, 2);
      assert.deepEqual(ready(buffer), NEITHER);
    },
  },
  {
    id: "IMP-17",
    fact: "who waits for a buffer's fences is not woken before the signal, though other holders close",
    async run(world) {
      const { buffer, work } = world.deviceBuffer();
      const end = work("write");
      const other = buffer.another();
      let woken = false;
      const waiting = buffer.ready("read").then((result) => {
        woken = true;
        return result;
      });
      other.close();
      await new Promise((resolve) => setTimeout(resolve, 20));
      assert.equal(woken, false);
      end();
      assert.equal(await waiting, "signaled");
    },
  },
  {
    id: "IMP-18",
    fact: "who waits for a buffer goes on waiting when a later fence has come before the wake-up",
    async run(world) {
      for (const timelines of [1, 2]) {
        const devices = Array.from({ length: timelines }, () => world.timeline());
        const [first, last] = [devices[0]!, devices.at(-1)!];
        const buffer = world.allocate(PAGE_SIZE);
        buffer.importSyncFile("write", first.fence(1));
        let woken = false;
        const waiting = buffer.ready("read").then((result) => {
          woken = true;
          return result;
        });
        await new Promise((resolve) => setTimeout(resolve, 20));
        buffer.importSyncFile("write", last.fence(2));
        first.advance();
        await new Promise((resolve) => setTimeout(resolve, 20));
        assert.deepEqual([woken, buffer.isReady("read")], [false, false]);
        last.advance(2);
        assert.equal(await waiting, "signaled");
        assert.equal(buffer.isReady("read"), true);
      }
    },
  },
  {
    id: "HEP-01",
    fact: "a buffer of a heap is written in two accesses",
    async run(world) {
      const buffer = world.allocate(1 << 20);
      const map = buffer.map();
      for (const value of [1, 2]) {
        await buffer.begin("write");
        map.bytes.fill(value);
        buffer.end("write");
      }
      await buffer.begin("read");
      assert.deepEqual([map.bytes[0], map.bytes[(1 << 20) - 1]], [2, 2]);
      buffer.end("read");
      map.close();
    },
  },
  {
    id: "HEP-02",
    fact: "a new buffer reads as zero, whatever was in one that was freed",
    run(world) {
      for (const size of [PAGE_SIZE, 1 << 20]) {
        for (const value of [0xff, 0]) {
          for (let i = 0; i < 8; i++) {
            const buffer = world.allocate(size);
            const map = buffer.map();
            assert.equal(
              map.bytes.every((byte) => byte === 0),
              true,
            );
            map.bytes.fill(value);
            map.close();
            buffer.close();
          }
        }
      }
    },
  },
  {
    id: "HEP-09",
    fact: "a size is rounded up to whole pages, and 0 is refused",
    run(world) {
      fails("EINVAL", () => world.allocate(0));
      assert.equal(world.allocate(1).size, PAGE_SIZE);
      assert.equal(world.allocate(PAGE_SIZE + 1).size, 2 * PAGE_SIZE);
    },
  },
];

function polled(id: string, fact: string, mode: AccessMode, pending: Both): CommonCase[] {
  const run = async (world: World): Promise<void> => {
    const { buffer, work } = world.deviceBuffer();
    const end = work(mode);
    assert.deepEqual(ready(buffer), pending);
    const waiting = buffer.ready("write");
    assert.equal(await buffer.ready("write", { timeout: 0 }), "timed-out");
    end();
    assert.equal(await waiting, "signaled");
    assert.deepEqual(ready(buffer), BOTH);
  };
  return [{ id, fact, run }];
}

function exportedOf(id: string, fact: string, mode: AccessMode, pending: Both): CommonCase[] {
  const run = (world: World): void => {
    const { buffer, work } = world.deviceBuffer();
    const end = work(mode);
    assert.deepEqual(exported(buffer), pending);
    end();
    assert.deepEqual(exported(buffer), BOTH);
  };
  return [{ id, fact, run }];
}

function imported(id: string, fact: string, mode: AccessMode, pending: Both): CommonCase[] {
  const run = (world: World): void => {
    const timeline = world.timeline();
    const buffer = world.allocate(PAGE_SIZE);
    buffer.importSyncFile(mode, timeline.fence(1));
    assert.deepEqual([ready(buffer), exported(buffer)], [pending, pending]);
  };
  return [{ id, fact, run }];
}

function ready(buffer: BufferLike): Both {
  return { read: buffer.isReady("read"), write: buffer.isReady("write") };
}

function exported(buffer: BufferLike): Both {
  return { read: buffer.exportSyncFile("read").isReady(), write: buffer.exportSyncFile("write").isReady() };
}
