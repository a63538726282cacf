/** Area I of the conformance cases, the part on sync files: from a buffer's fences to explicit ones, and back. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  Domain,
  DmaBufError,
  PAGE_SIZE,
  SyncFile,
  usageFor,
  type AccessMode,
  type DmaBuf,
  type Fence,
} from "../../src/index.js";
import { addFence, fails } from "./buffers.js";

/** Which exports of a buffer are signaled, or for which accesses it is ready. */
interface Both {
  readonly read: boolean;
  readonly write: boolean;
}

function exported(buffer: DmaBuf): Both {
  return { read: buffer.exportSyncFile("read").isReady(), write: buffer.exportSyncFile("write").isReady() };
}

function ready(buffer: DmaBuf): Both {
  return { read: buffer.isReady("read"), write: buffer.isReady("write") };
}

const BOTH: Both = { read: true, write: true };
const NEITHER: Both = { read: false, write: false };
const READ_ONLY: Both = { read: true, write: false };

const EXPORTS: readonly (readonly [name: string, usage: AccessMode, pending: Both])[] = [
  ["IMP-05 a pending reader is in what writers wait for, and not in what readers wait for", "read", READ_ONLY],
  ["IMP-06 a pending writer is in what readers and writers wait for", "write", NEITHER],
];

for (const [name, usage, pending] of EXPORTS) {
  test(name, () => {
    using domain = Domain.create();
    using buffer = domain.allocate(PAGE_SIZE);
    const fence = addFence(domain, buffer, usage);
    assert.deepEqual(exported(buffer), pending);
    fence.signal();
    assert.deepEqual(exported(buffer), BOTH);
  });
}

test("IMP-07 a sync file that was exported becomes ready with its fences", () => {
  using domain = Domain.create();
  using buffer = domain.allocate(PAGE_SIZE);
  const fence = addFence(domain, buffer, "write");
  const files = [buffer.exportSyncFile("read"), buffer.exportSyncFile("write")];
  assert.deepEqual(
    files.map((file) => file.isReady()),
    [false, false],
  );
  fence.signal();
  assert.deepEqual(
    files.map((file) => file.isReady()),
    [true, true],
  );
});

test("IMP-07 an export holds the fences of its moment: later ones are not in it, and a failure stays", () => {
  using domain = Domain.create();
  using buffer = domain.allocate(PAGE_SIZE);
  const fence = addFence(domain, buffer, "write");
  using before = buffer.exportSyncFile("write");
  addFence(domain, buffer, "write");
  fence.setError("EIO");
  fence.signal();
  assert.deepEqual([before.isReady(), before.status], [true, -5]);
  assert.equal(buffer.exportSyncFile("write").status, 0);
});

const IMPORTS: readonly (readonly [name: string, mode: AccessMode, pending: Both])[] = [
  ["IMP-08 a point imported for reading keeps writers away, and not readers", "read", READ_ONLY],
  ["IMP-09 a point imported for writing keeps readers and writers away", "write", NEITHER],
];

for (const [name, mode, pending] of IMPORTS) {
  for (const blocking of [false, true]) {
    test(`${name} (${blocking ? "importSyncFileSync" : "importSyncFile"})`, async () => {
      using domain = Domain.create();
      using buffer = domain.allocate(PAGE_SIZE);
      using timeline = domain.createSoftwareTimeline();
      using file = domain.createSyncFile(timeline.createFence(1));
      if (blocking) buffer.importSyncFileSync(mode, file);
      else await buffer.importSyncFile(mode, file);
      assert.deepEqual([ready(buffer), exported(buffer)], [pending, pending]);
    });
  }
}

test("IMP-10 what was imported is done when the timeline has come there", async () => {
  using domain = Domain.create();
  using timeline = domain.createSoftwareTimeline();
  for (const mode of ["read", "write"] as const) {
    using buffer = domain.allocate(PAGE_SIZE);
    using file = domain.createSyncFile(timeline.createFence(timeline.value + 1));
    await buffer.importSyncFile(mode, file);
    timeline.advance();
    assert.deepEqual([ready(buffer), exported(buffer)], [BOTH, BOTH]);
  }
});

test("IMP-11 an export and an import are for reading or for writing", async () => {
  using domain = Domain.create();
  using buffer = domain.allocate(PAGE_SIZE);
  using file = buffer.exportSyncFile("read");
  for (const wrong of [undefined, "", "read-write", 4]) {
    assert.throws(() => buffer.exportSyncFile(wrong as never), TypeError);
    assert.throws(() => buffer.importSyncFileSync(wrong as never, file), TypeError);
    await assert.rejects(buffer.importSyncFile(wrong as never, file), TypeError);
  }
});

test("IMP-12 only an open sync file of this agent can be imported", async () => {
  using domain = Domain.create();
  using other = Domain.create();
  using buffer = domain.allocate(PAGE_SIZE);
  const file = buffer.exportSyncFile("read");
  for (const wrong of [
    undefined,
    buffer,
    file.fence,
    file.handle(),
    other.createSyncFile(other.createSoftwareTimeline().createFence(1)),
  ]) {
    await assert.rejects(buffer.importSyncFile("read", wrong as never), TypeError);
  }
  file.close();
  await assert.rejects(buffer.importSyncFile("read", file), { code: "EBADF" });
});

test("IMP-13 an idle buffer exports a sync file that is signaled", () => {
  using domain = Domain.create();
  using buffer = domain.allocate(PAGE_SIZE);
  using file = buffer.exportSyncFile("write");
  assert.deepEqual([file.isReady(), file.status], [true, 1]);
  assert.deepEqual(
    file.info().fences.map(({ driverName }) => driverName),
    ["stub"],
  );
});

test("IMP-14 a merge of three timelines is imported as three fences", async () => {
  using domain = Domain.create();
  using buffer = domain.allocate(PAGE_SIZE);
  const timelines = [1, 2, 3].map(() => domain.createSoftwareTimeline());
  const files = timelines.map((timeline) => domain.createSyncFile(timeline.createFence(1)));
  const merged = files.reduce((merged, file) => SyncFile.merge("merged", merged, file));
  await buffer.importSyncFile("write", merged);
  const contexts = buffer.reservation.getFences("write").map(({ context }) => context);
  assert.deepEqual(
    contexts,
    timelines.map(({ context }) => context),
  );
  timelines[1]!.advance();
  assert.equal(buffer.reservation.getFences("write").length, 2);
});

test("IMP-14 a fence of this agent alone is published by its import, and one that signaled is not added", async () => {
  using domain = Domain.create();
  using other = Domain.join(domain.invite());
  using buffer = domain.allocate(PAGE_SIZE);
  const [pending, signaled] = [1, 2].map(() => domain.createFence({ driverName: "driver", timelineName: "line" }));
  signaled!.signal();
  using file = domain.createSyncFile(pending!);
  await buffer.importSyncFile("write", file);
  await buffer.importSyncFile("write", domain.createSyncFile(signaled!));
  using there = other.import(buffer.handle());
  assert.equal(there.reservation.getFences("write").length, 1);
  assert.equal(there.isReady("read"), false);
  pending!.signal();
  assert.equal(there.isReady("read"), true);
});

/** The kernel's test device: it puts fences on buffers that a program signals. */
class FenceDevice {
  readonly #domain: Domain;
  readonly #fences = new Map<number, Fence>();
  #ids = 0;

  constructor(domain: Domain) {
    this.#domain = domain;
  }

  attach(buffer: DmaBuf, mode: AccessMode): number {
    if (!buffer.reservation.testSignaled(usageFor(mode))) throw new DmaBufError("EBUSY", "Others use the buffer");
    this.#fences.set(++this.#ids, addFence(this.#domain, buffer, mode));
    return this.#ids;
  }

  signal(id: number): void {
    const fence = this.#fences.get(id);
    if (!this.#fences.delete(id)) throw new DmaBufError("ENOENT", "There is no such fence");
    fence!.signal();
  }
}

test("IMP-15 a device that looks before it adds a fence may read beside readers, and not write", () => {
  using domain = Domain.create();
  using buffer = domain.allocate(PAGE_SIZE);
  const device = new FenceDevice(domain);
  device.attach(buffer, "read");
  device.attach(buffer, "read");
  fails("EBUSY", () => device.attach(buffer, "write"));
});

test("IMP-16 a fence that a device attached signals once", () => {
  using domain = Domain.create();
  using buffer = domain.allocate(PAGE_SIZE);
  const device = new FenceDevice(domain);
  const id = device.attach(buffer, "write");
  device.signal(id);
  assert.deepEqual(ready(buffer), BOTH);
  fails("ENOENT", () => device.signal(id));
});
