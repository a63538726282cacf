/** Area H of the conformance cases, second part: attaching, mapping, moving, and what is told about buffers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Domain, DmaBufError } from "../../src/index.js";
import { addFence, exportWith, fails, memoryOf } from "./buffers.js";

test("DBF-22 a buffer whose exporter has no vmap is not mapped", () => {
  using domain = Domain.create();
  using buffer = exportWith(domain, {});
  using _lock = buffer.reservation.lockSync();
  fails("EINVAL", () => buffer.vmap());
});

test("DBF-23 two users of vmap share one mapping, made and ended once", () => {
  using domain = Domain.create();
  const calls: string[] = [];
  const vmap = (): Uint8Array => {
    calls.push("vmap");
    return new Uint8Array(1);
  };
  using buffer = exportWith(domain, { vmap, vunmap: () => calls.push("vunmap") });
  using _lock = buffer.reservation.lockSync();
  const first = buffer.vmap();
  assert.equal(buffer.vmap(), first);
  buffer.vunmap();
  assert.deepEqual(calls, ["vmap"]);
  buffer.vunmap();
  assert.deepEqual(calls, ["vmap", "vunmap"]);
  assert.throws(() => buffer.vunmap(), RangeError);
});

test("DBF-24 an exporter that refuses an importer keeps no attachment, and sees no detach", () => {
  using domain = Domain.create();
  let detached = 0;
  const attach = (): never => {
    throw new DmaBufError("EBUSY", "The device cannot reach this memory");
  };
  using buffer = exportWith(domain, { attach, detach: () => (detached += 1) });
  fails("EBUSY", () => buffer.attachSync());
  assert.equal(domain.statistics()[0]!.attachments, 0);
  buffer.close();
  assert.equal(detached, 0);
});

test("DBF-25 a static importer is mapped only when the kernel's fence has signaled", { timeout: 30_000 }, async () => {
  using domain = Domain.create();
  using buffer = exportWith(domain, {});
  using attachment = buffer.attachSync();
  const move = addFence(domain, buffer, "kernel");
  setTimeout(() => move.signal(), 50);
  using mapping = await attachment.map();
  assert.equal(move.status, 1);
  assert.equal(mapping.segments.length, 1);
});

test("DBF-26 a pending writer does not hold up the mapping of a static importer", async () => {
  using domain = Domain.create();
  using buffer = exportWith(domain, {});
  using attachment = buffer.attachSync();
  addFence(domain, buffer, "write");
  using mapping = await attachment.map("read", { timeout: 0 });
  assert.equal(mapping.segments.length, 1);
});

test("DBF-27 a dynamic importer is mapped at once although the kernel's fence is pending", () => {
  using domain = Domain.create();
  using buffer = exportWith(domain, {});
  using attachment = buffer.attachSync({ moveNotify() {} });
  addFence(domain, buffer, "kernel");
  using _lock = buffer.reservation.lockSync();
  using mapping = attachment.mapLockedSync();
  assert.equal(mapping.segments.length, 1);
});

test("DBF-28 for a static importer the storage is pinned before it is mapped, and unpinned after it is unmapped", async () => {
  using domain = Domain.create();
  const calls: string[] = [];
  using buffer = exportWith(domain, {
    pin: () => calls.push("pin"),
    unpin: () => calls.push("unpin"),
    map: () => {
      calls.push("map");
      return memoryOf(1);
    },
    unmap: () => calls.push("unmap"),
  });
  using attachment = buffer.attachSync();
  const mapping = await attachment.map();
  mapping[Symbol.dispose]();
  assert.deepEqual(calls, ["pin", "map", "unmap", "unpin"]);
});

test("DBF-29 a move is told to the two dynamic importers and not to the static one, with the lock held", async () => {
  using domain = Domain.create();
  using buffer = exportWith(domain, {});
  const told: string[] = [];
  const follow = (name: string) => ({
    name,
    moveNotify: () => void told.push(`${name} ${buffer.reservation.isHeldHere ? "locked" : "open"}`),
  });
  using first = buffer.attachSync(follow("first"));
  using fixed = buffer.attachSync({ name: "static" });
  using second = buffer.attachSync(follow("second"));
  assert.deepEqual(
    [first, fixed, second].map((attachment) => attachment.isDynamic),
    [true, false, true],
  );
  await assert.rejects(buffer.moveNotify(), { code: "EPERM" });
  using _lock = buffer.reservation.lockSync();
  await buffer.moveNotify();
  assert.deepEqual(told, ["first locked", "second locked"]);
});

test("DBF-30 mapping without the reservation lock is refused", () => {
  using domain = Domain.create();
  using buffer = exportWith(domain, {});
  using attachment = buffer.attachSync({ moveNotify() {} });
  fails("EPERM", () => attachment.mapLockedSync());
});

test("DBF-32 a buffer tells its size, holders, exporter and name", () => {
  using domain = Domain.create();
  using buffer = exportWith(domain, {});
  using other = buffer.duplicate();
  buffer.name = "x";
  const lines = other.describe().split("\n");
  assert.deepEqual(lines, ["size:\t4096", "count:\t2", "exp_name:\ttest", "name:\tx", ""]);
});

test("DBF-33 the list of buffers counts them, their devices, and shows the writer's fence", () => {
  using domain = Domain.create();
  using first = exportWith(domain, {});
  using second = exportWith(domain, {});
  addFence(domain, first, "write");
  using camera = first.attachSync({ name: "camera" });
  using display = first.attachSync({ name: "display" });
  assert.equal(camera.buffer, display.buffer);
  const info = domain.bufferInfo();
  assert.match(info, /^\twrite fence:.* unsignalled$/m);
  assert.match(info, /Attached Devices:\n\tcamera\n\tdisplay\nTotal 2 devices attached/);
  assert.match(info, new RegExp(`Total 2 objects, ${first.size + second.size} bytes\n$`));
});
