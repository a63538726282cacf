/** Recordings in the browser's own files: only workers may have them open. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { copiedBytes, Domain, imageFormat, rawFormat, type FrameStream, type Picture } from "../../../src/index.js";
import { recordTo, replayFrom, type RecordingFile } from "../../../src/web/recording.js";

interface AccessHandle extends RecordingFile {
  close(): void;
}

/** What only workers have. */
interface WorkerFile {
  createSyncAccessHandle?(): Promise<AccessHandle>;
}

async function obstacle(): Promise<string | false> {
  if (!("document" in globalThis)) {
    try {
      const directory = await navigator.storage.getDirectory();
      const file = (await directory.getFileHandle("probe", { create: true })) as WorkerFile;
      (await file.createSyncAccessHandle!()).close();
      return false;
    } catch (error) {
      return `no files of its own here: ${String(error)}`;
    }
  }
  return "only workers open files for themselves";
}

const OPTIONS = { timeout: 60_000, skip: await obstacle() };

async function open(name: string): Promise<AccessHandle & Disposable> {
  const directory = await navigator.storage.getDirectory();
  const file = (await directory.getFileHandle(name, { create: true })) as WorkerFile;
  const handle = await file.createSyncAccessHandle!();
  return Object.assign(handle, { [Symbol.dispose]: () => handle.close() });
}

const WIDTH = 640;
const HEIGHT = 360;
const FORMAT = imageFormat("NV12", WIDTH, HEIGHT);
const PICTURE: Picture = { duration: 40_000, rotation: 180, colorSpace: { matrix: "bt709" } };

async function produce(stream: FrameStream, frames: number): Promise<void> {
  const picture = stream.format.kind === "image" ? { picture: PICTURE } : {};
  for (let n = 0; n < frames; n++) {
    const loan = (await stream.loan())!;
    loan.bytes.fill(n);
    loan.publish({ timestamp: n * 40_000, data: { n }, ...picture });
  }
  stream.end();
}

test("frames are written and read in place: no byte is copied, and every one is right", OPTIONS, async () => {
  using domain = Domain.create();
  using file = await open("whole");
  const stream = domain.createStream({ format: FORMAT });
  const before = copiedBytes();
  const recorded = recordTo(file, stream.frames());
  await produce(stream, 30);
  const { frames, bytes } = await recorded;
  assert.deepEqual([frames, bytes], [30, file.getSize()]);
  const replayed = await replayFrom(file, domain, { rate: "fast", buffers: 2 });
  let n = 0;
  for await (using frame of replayed.frames()) {
    assert.deepEqual([frame.timestamp, frame.data, frame.picture], [n * 40_000, { n }, PICTURE]);
    assert.equal(frame.length, FORMAT.size);
    assert.ok(frame.bytes.every((byte) => byte === n));
    n++;
  }
  assert.deepEqual([n, copiedBytes() - before], [30, 0]);
});

test("a torn tail is noticed after the frames before it", OPTIONS, async () => {
  using domain = Domain.create();
  using file = await open("torn");
  const stream = domain.createStream({ format: rawFormat(1000) });
  const recorded = recordTo(file, stream.frames());
  await produce(stream, 3);
  await recorded;
  file.truncate(file.getSize() - 1);
  const consumer = (await replayFrom(file, domain, { rate: "fast" })).frames();
  for (let n = 0; n < 2; n++) {
    using frame = await consumer.next();
    assert.deepEqual(frame!.data, { n });
  }
  await assert.rejects(consumer.next(), { code: "ENODATA" });
});

test(
  "a file that is closed while it is used fails a replay with EBADF, and a recording as the browser says",
  OPTIONS,
  async () => {
    using domain = Domain.create();
    const file = await open("closed");
    const stream = domain.createStream({ format: rawFormat(10) });
    const recorded = recordTo(file, stream.frames());
    await produce(stream, 8);
    await recorded;
    const consumer = (await replayFrom(file, domain, { rate: "fast", buffers: 1 })).frames();
    const first = await consumer.next();
    file.close();
    first!.close();
    await assert.rejects(
      async () => {
        for (let n = 1; n < 8; n++) (await consumer.next())!.close();
      },
      { code: "EBADF" },
    );
    const other = domain.createStream({ format: rawFormat(10) });
    await assert.rejects(recordTo(file, other.frames()), { name: "InvalidStateError" });
  },
);
