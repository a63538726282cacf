/** What mistakes are reported as that are about who waits, who works and who locks; and that their right twins are not. */
import assert from "node:assert/strict";
import { BLOCKS } from "../../test/blocking.js";
import { addFence, FENCE_OPS, mistakes, refused } from "../../test/mistakes.js";
import { exported } from "../../test/waiting.js";
import type { DmaBuf } from "../buffer/buffer.js";

const SEGMENTS = [{ memory: new SharedArrayBuffer(4096), offset: 0, length: 4096 }];

mistakes({
  "a fence that is added without the lock": {
    code: "exporter-lock",
    about: /is not locked/,
    wrong: (domain) =>
      refused("EPERM", () => domain.allocate(1).reservation.addFence(domain.createFence(FENCE_OPS), "write")),
    right: (domain) => addFence(domain.allocate(1), domain.createFence(FENCE_OPS)),
  },
  "DBF-30 a mapping without the lock": {
    code: "exporter-lock",
    about: /is not locked/,
    async wrong(domain) {
      const attachment = await domain.allocate(1).attach();
      await refused("EPERM", () => attachment.mapLocked());
    },
    async right(domain) {
      const buffer = domain.allocate(1);
      const attachment = await buffer.attach();
      using _lock = await buffer.reservation.lock();
      await attachment.mapLocked();
    },
  },
  "an access that begins with the lock held": {
    code: "exporter-lock",
    about: /Do not begin an access/,
    async wrong(domain) {
      const buffer = domain.allocate(1);
      using _lock = await buffer.reservation.lock();
      using _access = await buffer.access("read");
    },
    async right(domain) {
      const buffer = domain.allocate(1);
      (await buffer.reservation.lock()).close();
      using _access = await buffer.access("read");
    },
  },
  "a thread that blocks for its own fence": {
    code: "own-fence",
    about: /only this thread can signal/,
    wrong: (domain) => refused("EDEADLK", () => domain.createTimeline().createFence().waitSync()),
    right(domain) {
      const fence = domain.createTimeline().createFence();
      fence.signal();
      fence.waitSync();
      domain.createTimeline().createFence().waitSync({ timeout: 0 });
    },
    options: BLOCKS,
  },
  "a thread that blocks for a buffer that carries its own fence": {
    code: "own-fence",
    about: /only this thread can signal/,
    async wrong(domain) {
      const buffer = domain.allocate(1);
      await addFence(buffer, domain.createTimeline().createFence());
      await refused("EDEADLK", () => buffer.accessSync("read"));
    },
    async right(domain) {
      const buffer = domain.allocate(1);
      const fence = domain.createTimeline().createFence();
      await addFence(buffer, fence);
      fence.signal();
      buffer.accessSync("read").close();
    },
    options: BLOCKS,
  },
  "a wait for an own fence that lasts until its time limit": {
    code: "own-fence",
    about: /in its 50 ms, and this thread itself waited for it/,
    async wrong(domain) {
      const fence = domain.createTimeline({ timeLimit: 50 }).createFence();
      await fence.wait();
      fence.signal();
    },
    async right(domain) {
      const fence = domain.createTimeline({ timeLimit: 20_000 }).createFence();
      setTimeout(() => fence.signal(), 20);
      await fence.wait();
    },
  },
  "a thread that blocks for a lock of its own": {
    code: "deadlock",
    about: /this thread holds it itself/,
    async wrong(domain) {
      const { reservation } = domain.allocate(1);
      using _lock = await reservation.lock();
      await refused("EDEADLK", () => reservation.lockSync());
    },
    right(domain) {
      const { reservation } = domain.allocate(1);
      reservation.lockSync().close();
      reservation.lockSync().close();
    },
    options: BLOCKS,
  },
  "a job's bytes that are used after the job": {
    code: "work-after-fence",
    about: /goes on after its fence has signaled/,
    async wrong(domain) {
      const buffer = domain.allocate(4096);
      let late: Promise<void> | undefined;
      const queue = domain.createQueue({
        run(job) {
          const access = job.access(buffer);
          late = new Promise((resolve) => setTimeout(resolve, 20)).then(() => void access.bytes.fill(1));
        },
      });
      await (await queue.submit({ writes: [buffer] })).wait();
      await refused("EBADF", () => late);
    },
    async right(domain) {
      const buffer = domain.allocate(4096);
      const queue = domain.createQueue({
        async run(job) {
          const access = job.access(buffer);
          await new Promise((resolve) => setTimeout(resolve, 20));
          access.bytes.fill(1);
        },
      });
      await (await queue.submit({ writes: [buffer] })).wait();
    },
  },
  "a fence that signals while the access is open that is its work (work-check.1)": {
    code: "work-after-fence",
    about: /the access to write it is still open/,
    async wrong(domain) {
      const buffer = domain.allocate(4096);
      const fence = domain.createTimeline().createFence();
      using access = await buffer.access("write");
      await addFence(buffer, fence);
      fence.signal();
      access.bytes.fill(1);
    },
    async right(domain) {
      const buffer = domain.allocate(4096);
      const timeline = domain.createTimeline();
      const fence = timeline.createFence();
      const access = await buffer.access("write");
      await addFence(buffer, fence);
      access.bytes.fill(1);
      access.close();
      fence.signal();
      using _next = await buffer.access("write");
      timeline.createFence().signal();
    },
  },
  "an exporter that asks for the lock that it runs with (exporter-check.1)": {
    code: "exporter-lock",
    about: /"map" of an exporter asks for the lock of its buffer/,
    async wrong(domain) {
      const buffer = exported(domain, {
        map({ reservation }) {
          reservation.lock().catch(() => {});
          return SEGMENTS;
        },
      });
      await (await buffer.attach()).map();
    },
    async right(domain) {
      const buffer = exported(domain, {
        map({ reservation }) {
          assert.equal(reservation.isHeldHere, true);
          return SEGMENTS;
        },
      });
      await (await buffer.attach()).map();
    },
  },
  "an exporter that leaves its buffer locked (exporter-check.2)": {
    code: "exporter-lock",
    about: /"attach" of an exporter leaves its buffer locked/,
    async wrong(domain) {
      const kept: unknown[] = [];
      const buffer = exported(domain, {
        async attach({ reservation }) {
          kept.push(await reservation.lock());
        },
      });
      await buffer.attach();
    },
    async right(domain) {
      const buffer = exported(domain, {
        async attach({ reservation }) {
          using _lock = await reservation.lock();
        },
      });
      await buffer.attach();
    },
  },
  "an exporter that begins an access to its own buffer (exporter-check.3)": {
    code: "exporter-lock",
    about: /"beginCpuAccess" of an exporter begins an access to its own buffer/,
    async wrong(domain) {
      const own: DmaBuf[] = [];
      const buffer = exported(domain, {
        beginCpuAccess(mode) {
          if (mode === "write") own[0]!.access("read").catch(() => {});
        },
      });
      own.push(buffer);
      using _access = await buffer.access("write");
    },
    async right(domain) {
      const other = domain.allocate(1);
      const buffer = exported(domain, { beginCpuAccess: () => other.tryAccess("read")!.close() });
      using _access = await buffer.access("write");
    },
  },
  "an importer that pins without being dynamic": {
    code: "exporter-lock",
    about: /Only a dynamic importer may pin/,
    async wrong(domain) {
      const buffer = domain.allocate(1);
      const attachment = await buffer.attach();
      using _lock = await buffer.reservation.lock();
      await attachment.pin();
    },
    async right(domain) {
      const buffer = domain.allocate(1);
      const attachment = await buffer.attach({ moveNotify() {} });
      using _lock = await buffer.reservation.lock();
      await attachment.pin();
      attachment.unpin();
    },
  },
});
