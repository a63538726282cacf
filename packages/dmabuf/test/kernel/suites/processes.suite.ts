/** Descriptors of the kernel's in several processes, and closed by others. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { PAGE_SIZE } from "../../../src/index.js";
import { DmaHeap, SoftwareSyncTimeline } from "../../../src/linux/index.js";
import { ProcessDomain } from "../../../src/node/index.js";
import { closeDescriptor, createSocketPair, sendMessage } from "../../../src/node/system-calls/index.js";
import { kernelTest } from "../cases/kernel-test.js";

const PATIENT = { timeout: 30_000 };
const OTHER = fileURLToPath(new URL("other-process.js", import.meta.url));

/** Starts another process that inherits a descriptor; resolves when it has ended well. */
async function start(task: string, fd: number): Promise<void> {
  const child = spawn(process.execPath, [OTHER, task], { stdio: ["ignore", "inherit", "inherit", "ignore", fd] });
  const [status] = (await once(child, "close")) as [number | null];
  assert.equal(status, 0);
}

test("SYF-21 a process that inherited a timeline wakes who waits for its fence", PATIENT, async () => {
  using timeline = SoftwareSyncTimeline.create();
  using file = timeline.createFence(1);
  const child = start("advance inherited", timeline.fd);
  assert.equal(file.isReady(), false);
  assert.equal(await file.wait({ timeout: 20_000 }), "signaled");
  await child;
});

test("SYF-22 a process that got a timeline through a socket wakes who waits for its fence", PATIENT, async () => {
  using timeline = SoftwareSyncTimeline.create();
  using file = timeline.createFence(1);
  const [mine, theirs] = createSocketPair("sequenced");
  const child = start("advance received", theirs);
  closeDescriptor(theirs);
  sendMessage(mine, new Uint8Array(1), [timeline.fd]);
  assert.equal(await file.wait({ timeout: 20_000 }), "signaled");
  await child;
  closeDescriptor(mine);
});

test("DBF-10 what another process writes to a buffer is read here", PATIENT, async () => {
  using heap = DmaHeap.open();
  using buffer = heap.allocate(2 * PAGE_SIZE);
  await start("write", buffer.fd);
  await buffer.access("read", (bytes) => assert.deepEqual([...new Set(bytes)], [0x77]));
});

test("a member of a domain gets a buffer and a timeline of the kernel's by their names", PATIENT, async () => {
  const place = `@dmabuf lab ${process.pid}`;
  using domain = ProcessDomain.listen(place, { agents: 4 });
  using heap = DmaHeap.open();
  using buffer = heap.allocate(PAGE_SIZE);
  using timeline = SoftwareSyncTimeline.create();
  using file = timeline.createFence(1);
  using _buffer = domain.descriptors.offer("buffer", buffer.fd);
  using _timeline = domain.descriptors.offer("timeline", timeline.fd);
  const child = spawn(process.execPath, [OTHER, "write taken", place], { stdio: ["ignore", "inherit", "inherit"] });
  assert.equal(await file.wait({ timeout: 20_000 }), "signaled");
  await buffer.access("read", (bytes) => assert.deepEqual([...new Set(bytes)], [0x88]));
  if (child.exitCode === null) await once(child, "exit");
  assert.equal(child.exitCode, 0);
});

kernelTest("IMP-17 a wait goes on although its descriptor is closed, until the signal", async (world) => {
  const { buffer, work } = world.deviceBuffer();
  const end = work("write");
  let isOver = false;
  const waiting = buffer.ready("read").finally(() => (isOver = true));
  buffer.close();
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.equal(isOver, false);
  end();
  assert.equal(await waiting, "signaled");
});

test("SYF-27 eight consumers each see what one producer has counted", PATIENT, async () => {
  const [consumers, rounds] = [8, 512];
  using timeline = SoftwareSyncTimeline.create();
  let counter = 0;
  const files = Array.from({ length: rounds }, (_, round) => timeline.createFence(round + 1));
  const looked: (() => void)[] = [];
  const turns = files.map((_, round) => new Promise<void>((resolve) => (looked[round] = resolve)));
  const consume = async (first: number): Promise<void> => {
    for (let round = first; round < rounds; round += consumers) {
      assert.equal(await files[round]!.wait(), "signaled");
      assert.equal(counter, round + 1);
      looked[round]!();
    }
  };
  const all = Promise.all(Array.from({ length: consumers }, (_, first) => consume(first)));
  for (let round = 0; round < rounds; round++) {
    counter++;
    timeline.advance();
    await Promise.race([turns[round], all]);
  }
  await all;
  for (const file of files) file.close();
});
