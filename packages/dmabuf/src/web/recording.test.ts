import assert from "node:assert/strict";
import { closeSync, fstatSync, fsyncSync, ftruncateSync, mkdtempSync, openSync, readFileSync } from "node:fs";
import { readSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { createDomain } from "../../test/agents.js";
import { Random } from "../../test/random.js";
import {
  audioFormat,
  copiedBytes,
  DmaBufError,
  imageFormat,
  rawFormat,
  tensorFormat,
  type Consumer,
  type FrameFormat,
  type FrameStream,
  type PublishOptions,
} from "../index.js";
import { recordTo, replayFrom, type RecordingFile, type ReplayOptions } from "./recording.js";

const LIMIT = { timeout: 60_000 };

/** A real file, with the methods of a FileSystemSyncAccessHandle. */
class DiskFile implements RecordingFile {
  readonly path: string;
  readonly #fd: number;

  constructor(t: TestContext) {
    const folder = mkdtempSync(join(tmpdir(), "dmabuf-recording-"));
    this.path = join(folder, "recording");
    this.#fd = openSync(this.path, "w+");
    t.after(() => {
      closeSync(this.#fd);
      rmSync(folder, { recursive: true });
    });
  }

  read(bytes: Uint8Array, { at }: { readonly at: number }): number {
    return readSync(this.#fd, bytes, 0, bytes.length, at);
  }

  write(bytes: Uint8Array, { at }: { readonly at: number }): number {
    return writeSync(this.#fd, bytes, 0, bytes.length, at);
  }

  getSize(): number {
    return fstatSync(this.#fd).size;
  }

  truncate(size: number): void {
    ftruncateSync(this.#fd, size);
  }

  flush(): void {
    fsyncSync(this.#fd);
  }
}

interface Shot extends PublishOptions {
  readonly fill: number;
}

/** Records frames of these fills, and what travels with them. */
async function record(t: TestContext, file: RecordingFile, format: FrameFormat, shots: readonly Shot[]) {
  const stream = createDomain(t).createStream({ format, buffers: 4 });
  const recorded = recordTo(file, stream.frames());
  recorded.catch(() => {});
  for (const shot of shots) await shoot(stream, shot);
  stream.end();
  return recorded;
}

async function shoot(stream: FrameStream, { fill, ...options }: Shot): Promise<void> {
  using loan = (await stream.loan())!;
  loan.bytes.fill(fill);
  loan.publish(options);
}

interface Replayed {
  readonly frames: (PublishOptions & { readonly bytes: readonly number[] })[];
  /** The code of the error that the stream has failed with. */
  readonly end: string;
}

async function taken(consumer: Consumer): Promise<Replayed> {
  const frames: Replayed["frames"] = [];
  try {
    for await (using frame of consumer) {
      const { timestamp, data, picture, length } = frame;
      frames.push({
        ...{ timestamp, length, bytes: [...frame.bytes] },
        ...(data !== undefined && { data }),
        ...(picture !== undefined && { picture }),
      });
    }
    return { frames, end: "ended" };
  } catch (error) {
    return { frames, end: (error as DmaBufError).code };
  }
}

async function replay(t: TestContext, file: RecordingFile, options: ReplayOptions = { rate: "fast" }) {
  return taken((await replayFrom(file, createDomain(t), options)).frames());
}

/** Three frames, of a length each, with data and without. */
const SHOTS: readonly Shot[] = [
  { fill: 1, timestamp: 10, length: 8 },
  { fill: 2, timestamp: 20, length: 3, data: { note: "ä" } },
  { fill: 3, timestamp: 30, length: 0, data: ["a longer one", 5] },
];
const RAW = rawFormat(8);

function expected(shots: readonly Shot[], format: FrameFormat): Replayed["frames"] {
  return shots.map(({ fill, length = format.size, ...rest }) => ({
    ...rest,
    length,
    bytes: Array.from({ length }, () => fill),
  }));
}

test(
  "frames of each kind come back with bytes, timestamp, data and picture, and no byte is copied",
  LIMIT,
  async (t) => {
    const picture = {
      duration: 33_333,
      visibleRect: { x: 2, y: 2, width: 4, height: 2 },
      rotation: 90,
      colorSpace: { primaries: "bt709", matrix: null, fullRange: false },
    } as const;
    const formats: [FrameFormat, Shot[]][] = [
      [
        imageFormat("NV12", 10, 6, { strideAlignment: 64 }),
        [
          { fill: 9, timestamp: 0, picture },
          { fill: 8, timestamp: 33_333, picture: {}, data: null },
          { fill: 7, timestamp: 66_666.5, data: { ключ: [1, "\ud800", true] } },
        ],
      ],
      [tensorFormat([2, 3], "float32"), [{ fill: 0, timestamp: -1 }]],
      [
        audioFormat({ channels: 2, rate: 48_000, samples: 16, type: "int16" }),
        [{ fill: 5, timestamp: 1e15, length: 8 }],
      ],
      [RAW, [...SHOTS]],
    ];
    for (const [format, shots] of formats) {
      const file = new DiskFile(t);
      const before = copiedBytes();
      const recorded = await record(t, file, format, shots);
      assert.deepEqual(recorded, { frames: shots.length, bytes: file.getSize() });
      const stream = await replayFrom(file, createDomain(t), { rate: "fast" });
      assert.deepEqual(stream.format, format);
      const got = await taken(stream.frames());
      assert.deepEqual(got, { frames: expected(shots, format), end: "ended" });
      assert.equal(copiedBytes(), before);
    }
  },
);

// recording-format.1
test("the file is as it is described", LIMIT, async (t) => {
  const file = new DiskFile(t);
  await record(t, file, RAW, [...SHOTS].reverse());
  const bytes = readFileSync(file.path);
  const text = (start: number, length: number): unknown => JSON.parse(bytes.toString("utf8", start, start + length));
  let at = 0;
  const next = (mark: string): { numbers: number[]; text: unknown } => {
    assert.equal(bytes.toString("latin1", at, at + 4), mark);
    const length = bytes.readUInt32LE(at + 4);
    const numbers = [8, 16, 24, 32].map((place) => bytes.readDoubleLE(at + place));
    const value = length > 0 ? text(at + 40, length) : undefined;
    at += 40 + length;
    return { numbers, text: value };
  };
  const longest = JSON.stringify({ data: SHOTS[2]!.data }).length;
  assert.deepEqual(next("DBUF"), { numbers: [1, longest, 0, 0], text: RAW });
  for (const [sequence, { timestamp, length, data, fill }] of [...SHOTS].reverse().entries()) {
    const { numbers, text } = next("FRAM");
    assert.deepEqual([numbers[0], numbers[1], numbers[3]], [sequence, timestamp, length]);
    assert.ok(numbers[2]! > 0);
    assert.deepEqual(text, data === undefined ? undefined : { data });
    assert.ok(bytes.subarray(at, (at += length!)).every((byte) => byte === fill));
  }
  assert.equal(at, bytes.length);
});

// recording-format.1
test("cut off anywhere, it plays the frames that are whole, and then fails with ENODATA", LIMIT, async (t) => {
  const file = new DiskFile(t);
  await record(t, file, RAW, SHOTS);
  const whole = readFileSync(file.path);
  const frames = expected(SHOTS, RAW);
  // Where the head and each frame end.
  const ends = [40 + whole.readUInt32LE(4)];
  for (const { length } of SHOTS) ends.push(ends.at(-1)! + 40 + whole.readUInt32LE(ends.at(-1)! + 4) + length!);
  assert.equal(ends.at(-1), whole.length);
  const domain = createDomain(t);
  for (let size = 0; size <= whole.length; size++) {
    writeFileSync(file.path, whole.subarray(0, size));
    const replayed = replayFrom(file, domain, { rate: "fast", buffers: 1 });
    if (size < ends[0]!) {
      await assert.rejects(replayed, { code: "ENODATA", message: /nothing was recorded/ });
      continue;
    }
    using stream = await replayed;
    const count = ends.filter((end) => end <= size).length - 1;
    const end = ends.includes(size) ? "ended" : "ENODATA";
    assert.deepEqual(await taken(stream.frames()), { frames: frames.slice(0, count), end }, `${size} bytes`);
  }
});

// recording-format.1
test("what a recorder leaves that dies at any write is played as far as it is whole", LIMIT, async (t) => {
  class Dead extends Error {}
  for (let writes = 0; writes < 15; writes++) {
    const file = new DiskFile(t);
    let left = writes;
    const alive = (): void => {
      if (left-- <= 0) throw new Dead();
    };
    const dying: RecordingFile = {
      read: (bytes, options) => file.read(bytes, options),
      write(bytes, options) {
        // Half of it may still come; of a mark, nothing or all.
        if (left === 0 && bytes.length > 4) file.write(bytes.subarray(0, bytes.length / 2), options);
        alive();
        return file.write(bytes, options);
      },
      getSize: () => file.getSize(),
      truncate: (size) => (left > 0 ? file.truncate(size) : undefined),
      flush: () => undefined,
    };
    await assert.rejects(record(t, dying, RAW, [...SHOTS, ...SHOTS]), Dead);
    if (writes < 2) {
      await assert.rejects(replay(t, file), { code: "ENODATA" });
      continue;
    }
    const { frames, end } = await replay(t, file);
    const whole = expected([...SHOTS, ...SHOTS], RAW);
    assert.deepEqual(frames, whole.slice(0, frames.length));
    assert.ok(end === "ended" || end === "ENODATA", end);
  }
});

test("without more room the frames before stay, and the error is ENOSPC", LIMIT, async (t) => {
  const quota = (): never => {
    throw new DOMException("no capacity", "QuotaExceededError");
  };
  const noSpace = (): never => {
    throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
  };
  for (const full of [quota, noSpace, () => 0, () => 2 ** 32 - 8]) {
    const file = new DiskFile(t);
    const room = 400;
    const limited: RecordingFile = Object.assign(Object.create(file) as RecordingFile, {
      read: file.read.bind(file),
      getSize: file.getSize.bind(file),
      truncate: file.truncate.bind(file),
      flush: file.flush.bind(file),
      write(bytes: Uint8Array, { at }: { at: number }): number {
        // No more than 7 bytes at once.
        const part = bytes.subarray(0, Math.min(7, room - at));
        return at >= room ? full() : file.write(part, { at });
      },
    });
    const shots = Array.from({ length: 9 }, (_, fill) => ({ fill, timestamp: fill, data: fill }));
    await assert.rejects(record(t, limited, RAW, shots), {
      code: "ENOSPC",
      message: /^ENOSPC: Cannot record more than 4 frames, \d+ bytes/,
    });
    assert.deepEqual(await replay(t, file), { frames: expected(shots.slice(0, 4), RAW), end: "ended" });
  }
});

test("a file that is no recording, or of another version, is refused by name", LIMIT, async (t) => {
  const file = new DiskFile(t);
  await record(t, file, RAW, SHOTS);
  const whole = readFileSync(file.path);
  const refused = async (change: (bytes: Buffer) => void, message: RegExp): Promise<void> => {
    const bytes = Buffer.from(whole);
    change(bytes);
    writeFileSync(file.path, bytes);
    await assert.rejects(replayFrom(file, createDomain(t)), { code: "EPROTO", message });
  };
  await refused((bytes) => bytes.write("RIFF"), /the file is no recording: it begins with "RIFF", and not with "DBUF"/);
  await refused((bytes) => bytes.fill(0xff, 0, 8), /no recording/);
  await refused((bytes) => bytes.writeDoubleLE(2, 8), /has version 2, and version 1 is known/);
  await refused((bytes) => bytes.writeDoubleLE(1e9, 16), /the length of its texts is wrong/);
  await refused((bytes) => bytes.write('"kind":"rew"', bytes.indexOf('"kind"')), /"kind" of it is wrong/);
  await refused((bytes) => bytes.write("?", 40), /the text at byte 40 is damaged/);
});

// recording-format.2
test("a frame that is damaged fails the stream with EPROTO, after those before it", LIMIT, async (t) => {
  const file = new DiskFile(t);
  await record(t, file, RAW, SHOTS);
  const whole = readFileSync(file.path);
  const second = whole.indexOf("FRAM", whole.indexOf("FRAM") + 4);
  const damages: ((bytes: Buffer) => void)[] = [
    (bytes) => bytes.write("X", second),
    (bytes) => bytes.writeDoubleLE(9, second + 32),
    (bytes) => bytes.writeDoubleLE(NaN, second + 32),
    (bytes) => bytes.writeDoubleLE(NaN, second + 16),
    (bytes) => bytes.write("?", second + 40),
    (bytes) => bytes.write('{"picture":5   }', second + 40),
  ];
  for (const [i, damage] of damages.entries()) {
    const bytes = Buffer.from(whole);
    damage(bytes);
    writeFileSync(file.path, bytes);
    const got = await replay(t, file);
    assert.deepEqual(got, { frames: expected(SHOTS.slice(0, 1), RAW), end: "EPROTO" }, `damage ${i}`);
  }
});

// recording-format.2
test("whatever bytes are damaged, it ends, and no other error comes of it", LIMIT, async (t) => {
  const file = new DiskFile(t);
  await record(t, file, RAW, SHOTS);
  const whole = readFileSync(file.path);
  const random = new Random(7);
  const domain = createDomain(t);
  const ends = new Map<string, number>();
  for (let i = 0; i < 1000; i++) {
    const bytes = Buffer.from(whole);
    for (let j = random.below(3); j >= 0; j--) bytes[random.below(bytes.length)] = random.below(256);
    writeFileSync(file.path, bytes);
    let end: string;
    try {
      using stream = await replayFrom(file, domain, { rate: "fast", buffers: 1 });
      ({ end } = await taken(stream.frames()));
    } catch (error) {
      assert.ok(error instanceof DmaBufError, String(error));
      end = error.code;
    }
    ends.set(end, (ends.get(end) ?? 0) + 1);
  }
  assert.deepEqual([...ends.keys()].sort(), ["ENODATA", "EPROTO", "ended"]);
});

test(
  "a limit, a signal and the end of the stream end the recording; what was longer before is gone",
  LIMIT,
  async (t) => {
    const file = new DiskFile(t);
    file.write(new Uint8Array(10_000).fill(1), { at: 0 });
    const shots = Array.from({ length: 5 }, (_, fill) => ({ fill, timestamp: fill }));
    const { bytes } = await record(t, file, RAW, shots);
    assert.equal(file.getSize(), bytes);
    const head = bytes - 5 * 48;

    const stream = createDomain(t).createStream({ format: RAW, buffers: 8 });
    for (const limit of [head + 2 * 48, head + 3 * 48 - 1]) {
      const recorded = recordTo(file, stream.frames(), { limit });
      for (const shot of shots) await shoot(stream, shot);
      assert.deepEqual(await recorded, { frames: 2, bytes: head + 2 * 48 });
    }
    assert.deepEqual(await recordTo(file, stream.frames(), { signal: AbortSignal.abort() }), { frames: 0, bytes: 0 });
    assert.equal(file.getSize(), 0);
    const controller = new AbortController();
    const other = createDomain(t).createStream({ format: RAW });
    const recorded = recordTo(file, other.frames(), { signal: controller.signal });
    await shoot(other, shots[0]!);
    while (file.getSize() < head + 48) await new Promise((resolve) => setTimeout(resolve, 1));
    controller.abort();
    assert.deepEqual([await recorded, other.consumers], [{ frames: 1, bytes: head + 48 }, 0]);
    assert.equal((await replay(t, file)).frames.length, 1);
  },
);

test("a stream that fails rejects the recording with its error, and the frames before stay", LIMIT, async (t) => {
  const file = new DiskFile(t);
  const stream = createDomain(t).createStream({ format: RAW });
  const recorded = recordTo(file, stream.frames());
  await shoot(stream, SHOTS[0]!);
  stream.fail("EREMOTEIO");
  await assert.rejects(recorded, { code: "EREMOTEIO" });
  assert.equal((await replay(t, file)).frames.length, 1);
});

test("a replay keeps the pace of the recording, or takes that of its consumers", LIMIT, async (t) => {
  const file = new DiskFile(t);
  const stream = createDomain(t).createStream({ format: RAW });
  const recorded = recordTo(file, stream.frames());
  for (const shot of SHOTS) {
    await shoot(stream, shot);
    await new Promise((resolve) => setTimeout(resolve, 60));
  }
  stream.end();
  await recorded;
  const start = performance.now();
  const played = await replay(t, file, {});
  // Timers may be a little early.
  assert.ok(performance.now() - start > 110);
  assert.deepEqual(played, { frames: expected(SHOTS, RAW), end: "ended" });

  const fast = (await replayFrom(file, createDomain(t), { rate: "fast", buffers: 2 })).frames();
  const held = [await fast.next(), await fast.next()];
  await assert.rejects(fast.next({ timeout: 20 }), { code: "ETIMEDOUT" });
  for (const frame of held) frame!.close();
  using third = await fast.next();
  assert.equal(third!.sequence, 2);
});

test("a signal cancels a replay at once, and its stream's end or close ends it quietly", LIMIT, async (t) => {
  const file = new DiskFile(t);
  const stream = createDomain(t).createStream({ format: RAW });
  const recorded = recordTo(file, stream.frames());
  await shoot(stream, SHOTS[0]!);
  await new Promise((resolve) => setTimeout(resolve, 5));
  await shoot(stream, SHOTS[1]!);
  stream.end();
  await recorded;
  // The second one comes after an hour.
  const bytes = readFileSync(file.path);
  const second = bytes.lastIndexOf("FRAM");
  bytes.writeDoubleLE(bytes.readDoubleLE(second + 24) + 3.6e12, second + 24);
  writeFileSync(file.path, bytes);

  const controller = new AbortController();
  const asleep = (await replayFrom(file, createDomain(t), { signal: controller.signal })).frames();
  (await asleep.next())!.close();
  controller.abort();
  await assert.rejects(asleep.next(), { code: "ECANCELED" });

  const unheard = await replayFrom(file, createDomain(t), { signal: AbortSignal.abort() });
  await assert.rejects(unheard.frames().next(), { code: "ECANCELED" });

  for (const end of ["end", "close"] as const) {
    const one = await replayFrom(file, createDomain(t), { rate: "fast", buffers: 1 });
    const consumer = one.frames();
    const frame = await consumer.next();
    one[end]();
    if (end === "end") assert.equal(await consumer.next(), undefined);
    frame!.close();
  }
  const left = createDomain(t);
  await replayFrom(file, left);
  left.close();
});
