/** Frames of processes inside WebAssembly modules: with modules of our own, and with one that people use. */
import assert from "node:assert/strict";
import { fork, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import {
  copiedBytes,
  imageFormat,
  rawFormat,
  type DmaBuf,
  type FrameStream,
  type ModuleMemory,
} from "../../src/index.js";
import { ProcessDomain } from "../../src/node/index.js";
import { pause, until } from "../agents.js";
import { createFilters } from "../filters.js";
import { ONCE } from "../once.js";
import { Random } from "../random.js";
import { collectGarbage } from "./open-files.js";
import { mappings, type WindowWork } from "./window-peer.js";

const LIMITED = { ...ONCE, timeout: 60_000 };
const PEER = new URL("window-peer.js", import.meta.url);
const [WIDTH, HEIGHT] = [64, 48];
const NV12 = imageFormat("NV12", WIDTH, HEIGHT);

/** A producer and a consumer in two agents: the consumer has descriptors that may only read. */
async function pair(t: TestContext): Promise<{ producer: ProcessDomain; consumer: ProcessDomain }> {
  const place = `@dmabuf windows ${process.pid} ${t.name.slice(0, 40)}`;
  const producer = ProcessDomain.listen(place);
  t.after(() => producer.close());
  const consumer = await ProcessDomain.connect(place);
  t.after(() => consumer.close());
  return { producer, consumer };
}

function publish(stream: FrameStream, fill: (bytes: Uint8Array) => void): void {
  const loan = stream.loanSync({ timeout: 30_000 })!;
  fill(loan.bytes);
  loan.publish();
}

function at(memory: ModuleMemory, pointer: number, length: number): Uint8Array {
  return new Uint8Array(memory.buffer, pointer, length);
}

function clamped(value: number): number {
  return Math.max(0, Math.min(255, value >> 6));
}

/** The same as the module does. */
function rgbaOf(nv12: Uint8Array): Uint8Array {
  const rgba = new Uint8Array(WIDTH * HEIGHT * 4);
  for (let y = 0; y < HEIGHT; y++) {
    for (let x = 0; x < WIDTH; x++) {
      const pair = WIDTH * HEIGHT + (y >> 1) * WIDTH + (x & ~1);
      const [luma, u, v] = [74 * (nv12[y * WIDTH + x]! - 16), nv12[pair]! - 128, nv12[pair + 1]! - 128];
      const pixel = [clamped(luma + 102 * v), clamped(luma - 52 * v - 25 * u), clamped(luma + 129 * u), 255];
      rgba.set(pixel, 4 * (y * WIDTH + x));
    }
  }
  return rgba;
}

test("a module filters a consumer's frames in place, by SIMD, and nothing is copied", LIMITED, async (t) => {
  const { producer, consumer } = await pair(t);
  const stream = producer.createStream({ name: "camera", format: NV12, buffers: 3 });
  const theirs = await consumer.findStream("camera");
  const frames = theirs.frames();
  const memory = new WebAssembly.Memory({ initial: 4 });
  const filters = await createFilters(memory);
  using window = consumer.createModuleWindow(memory, theirs);
  assert.equal(window.way, "mapped");
  const before = copiedBytes();
  const random = new Random(1);
  const output = 1024;
  for (let i = 0; i < 10; i++) {
    publish(stream, (bytes) => bytes.forEach((_, at) => (bytes[at] = random.below(256))));
    publish(stream, (bytes) => bytes.forEach((_, at) => (bytes[at] = random.below(256))));
    using first = frames.nextSync({ timeout: 30_000 })!;
    using second = frames.nextSync({ timeout: 30_000 })!;
    const [a, b] = [window.pointerTo(first), window.pointerTo(second)];
    window.call(() => filters.toRgba(a, output, WIDTH, HEIGHT));
    assert.deepEqual(at(memory, output, WIDTH * HEIGHT * 4), rgbaOf(first.bytes));
    const apart = first.bytes.filter((byte, at) => Math.abs(byte - second.bytes[at]!) > 100).length;
    assert.equal(
      window.call(() => filters.differing(a, b, NV12.size, 100)),
      apart,
    );
    window.call(() => filters.blur(a, output, WIDTH));
    const mean = (x: number, y: number): number => (x + y + 1) >> 1;
    const [row] = [first.bytes];
    const blurred = Array.from({ length: WIDTH - 2 }, (_, x) => mean(row[x + 1]!, mean(row[x]!, row[x + 2]!)));
    assert.deepEqual([...at(memory, output + 1, WIDTH - 2)], blurred);
  }
  assert.equal(copiedBytes(), before);
});

test(
  "a codec that people use encodes frames in place, with memory that its own allocator has found",
  LIMITED,
  async (t) => {
    const { producer, consumer } = await pair(t);
    const format = imageFormat("RGBA", 64, 48);
    const stream = producer.createStream({ name: "camera", format, buffers: 2 });
    const theirs = await consumer.findStream("camera");
    const codec = createCodec();
    const before = copiedBytes();
    using window = consumer.createModuleWindow(codec.memory, theirs, {
      allocate: (bytes, alignment) => Math.ceil(codec.malloc(bytes + alignment) / alignment) * alignment,
    });
    const frames = theirs.frames();
    for (const shade of [10, 200]) {
      publish(stream, (bytes) => bytes.forEach((_, i) => (bytes[i] = i % 4 === 3 ? 255 : shade + (i % 4) * 16)));
      using frame = frames.nextSync({ timeout: 30_000 })!;
      const encoded = window.call(() => codec.encode(window.pointerTo(frame), 64, 48));
      assert.equal(new TextDecoder().decode(encoded.subarray(8, 12)), "WEBP");
      assert.deepEqual(codec.decode(encoded), frame.bytes.slice());
    }
    assert.equal(copiedBytes(), before);
  },
);

for (const [who, index] of [
  ["a consumer", 1],
  ["the producer's own consumer", 0],
] as const) {
  test(
    `a module of ${who} that writes to a frame gets an error that says so, and no byte changes (file-overlay.2)`,
    LIMITED,
    async (t) => {
      const { producer, consumer } = await pair(t);
      const stream = producer.createStream({ name: "camera", format: rawFormat(100_000) });
      const end = index === 0 ? stream : await consumer.findStream("camera");
      const memory = new WebAssembly.Memory({ initial: 1 });
      const filters = await createFilters(memory);
      using window = (index === 0 ? producer : consumer).createModuleWindow(memory, end);
      const frames = end.frames();
      publish(stream, (bytes) => bytes.fill(7));
      using frame = frames.nextSync({ timeout: 30_000 })!;
      const pointer = window.pointerTo(frame);
      const attacks = [0, 4096, 99_999].flatMap((offset) => [
        (): void => filters.store(pointer + offset),
        (): void => filters.storeVector(pointer + offset),
        (): void => filters.blur(512, pointer + offset, 64),
      ]);
      const isTrap = (error: Error): true => {
        const { code, message, cause } = error as Error & { code: string };
        assert.equal(code, "EFAULT");
        assert.match(message, /has written to bytes that it may only read/);
        assert.ok(cause instanceof WebAssembly.RuntimeError);
        return true;
      };
      for (let round = 0; round < 3; round++) {
        for (const attack of attacks) {
          assert.throws(attack, WebAssembly.RuntimeError);
          assert.throws(() => window.call(attack), isTrap);
        }
        assert.equal(filters.sum(pointer, 100_000), 700_000);
        // V8 gives all pages of a memory that grows the right to write: what is written then is seen by no other agent, and gone
        // as soon as the pointer is asked for again.
        memory.grow(1);
        filters.store(pointer);
        assert.equal(frame.bytes[0], 7);
        assert.equal(window.pointerTo(frame), pointer);
        assert.equal(filters.sum(pointer, 100_000), 700_000);
      }
      // What is not of the window is not explained.
      assert.throws(() => window.call(() => assert.fail("other")), { message: "other" });
    },
  );
}

for (const how of ["fill", "atomicAdd"]) {
  test(`a module that writes to what it may only read by ${how} ends its process, and changes nothing`, LIMITED, () => {
    const { signal, stdout } = spawnSync(process.execPath, [fileURLToPath(PEER), "attack", how], { encoding: "utf8" });
    assert.deepEqual({ signal, stdout }, { signal: "SIGSEGV", stdout: "" });
  });
}

test("a module writes to the loans of a producer, in place", LIMITED, async (t) => {
  const { producer, consumer } = await pair(t);
  const stream = producer.createStream({ name: "camera", format: rawFormat(65_536) });
  const theirs = await consumer.findStream("camera");
  const frames = theirs.frames();
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 100, shared: true });
  const filters = await createFilters(memory);
  using window = producer.createModuleWindow(memory, stream, { mode: "read-write" });
  const before = copiedBytes();
  const loan = stream.loanSync()!;
  filters.fill(window.pointerTo(loan), 65_536);
  memory.grow(3);
  filters.atomicAdd(window.pointerTo(loan));
  loan.publish();
  using frame = frames.nextSync({ timeout: 30_000 })!;
  assert.deepEqual([...frame.bytes.subarray(0, 3)], [2, 1, 1]);
  assert.ok(frame.bytes.subarray(1).every((byte) => byte === 1));
  assert.equal(copiedBytes(), before);
  assert.throws(() => consumer.createModuleWindow(memory, theirs, { mode: "read-write" }), { code: "EACCES" });
  using sealed = producer.createStream({ format: rawFormat(64), sealed: true });
  assert.throws(() => producer.createModuleWindow(memory, sealed, { mode: "read-write" }), { code: "EPERM" });
  assert.equal(producer.createModuleWindow(memory, sealed).way, "mapped");
});

test("a window follows its buffer when that is moved, and makes one piece of several", LIMITED, async () => {
  using domain = ProcessDomain.create();
  using memories = domain.createMemory(1 << 20);
  const { memory: own } = memories;
  const pieces = [3, 1, 9].map((page) => ({ memory: own, offset: page * 4096, length: 4096 }));
  pieces.forEach(({ offset }, i) => new Uint8Array(own, offset, 4096).fill(i + 1));
  using buffer = domain.export(pieces);
  const memory = new WebAssembly.Memory({ initial: 1 });
  const { sum } = await createFilters(memory);
  using window = domain.createModuleWindow(memory, buffer);
  const read = (of: DmaBuf): number => sum(window.pointerTo(of), buffer.size);
  assert.equal(read(buffer), 4096 * 6);
  using target = domain.createMemory(3 * 4096);
  await buffer.move([target]);
  assert.equal(read(buffer), 4096 * 6);
  new Uint8Array(target.memory).fill(9);
  assert.equal(read(buffer), 4096 * 27);
  new Uint8Array(own).fill(100);
  assert.equal(read(buffer), 4096 * 27);
});

test(
  "zeros are there when a window, its stream or its buffer is closed, and when the domain is left (file-overlay.3)",
  LIMITED,
  async () => {
    const domain = ProcessDomain.create();
    const memory = new WebAssembly.Memory({ initial: 1 });
    const { store, sum } = await createFilters(memory);
    const shown = (): [ModuleWindowLike: Disposable, buffer: Disposable, pointer: number] => {
      const buffer = domain.allocate(65_536, { name: "camera" });
      {
        using access = buffer.tryAccess("write")!;
        access.bytes.fill(1);
      }
      const window = domain.createModuleWindow(memory, buffer);
      const pointer = window.pointerTo(buffer);
      assert.equal(sum(pointer, 65_536), 65_536);
      return [window, buffer, pointer];
    };
    const [window, buffer, pointer] = shown();
    const [otherWindow, otherBuffer, otherPointer] = shown();
    const [, , lastPointer] = shown();
    window[Symbol.dispose]();
    otherBuffer[Symbol.dispose]();
    domain.close();
    for (const at of [pointer, otherPointer, lastPointer]) {
      assert.equal(sum(at, 65_536), 0);
      store(at);
      assert.equal(sum(at, 65_536), 1);
    }
    assert.equal(mappings(), 0);
    otherWindow[Symbol.dispose]();
    buffer[Symbol.dispose]();
  },
);

test("a frame stays in a module when its producer is killed, until the stream is closed", LIMITED, async (t) => {
  const place = `@dmabuf windows ${process.pid} killed`;
  using domain = ProcessDomain.listen(place);
  const child = fork(fileURLToPath(PEER), ["produce", place]);
  t.after(() => child.kill("SIGKILL"));
  await once(child, "message");
  const stream = await domain.findStream("camera");
  const frames = stream.frames();
  const memory = new WebAssembly.Memory({ initial: 1 });
  const { sum } = await createFilters(memory);
  using window = domain.createModuleWindow(memory, stream);
  const frame = (await frames.next())!;
  const pointer = window.pointerTo(frame);
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
  await until(() => domain.agents.length === 1);
  assert.equal(sum(pointer, 1 << 20), 7 << 20);
  assert.equal(window.pointerTo(frame), pointer);
  await assert.rejects(frames.next(), { code: "ESRCH" });
  frame.close();
  stream.close();
  assert.equal(sum(pointer, 1 << 20), 0);
  assert.equal(mappings(), 0);
});

test(
  "1,000 windows that were closed or forgotten, in memories that had grown, leave no mapping and no memory",
  { ...ONCE, timeout: 120_000 },
  () => {
    const { stdout, stderr, status } = spawnSync(process.execPath, ["--expose-gc", fileURLToPath(PEER), "many"], {
      encoding: "utf8",
      timeout: 110_000,
    });
    assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
    assert.deepEqual(JSON.parse(stdout), { windows: 1000, mappings: 0, isFlat: true });
  },
);

for (const shared of [false, true]) {
  const whose = shared ? "memory that it has shared, once that is collected" : "memory of its own";
  test(
    `a worker that is terminated leaves no mapping in ${whose} (file-overlay.1)`,
    { ...ONCE, timeout: 120_000 },
    async () => {
      using domain = ProcessDomain.create();
      using stream = domain.createStream({ name: "camera", format: rawFormat(1 << 20), buffers: 2 });
      publish(stream, (bytes) => bytes.fill(5));
      const before = mappings();
      const terminateSome = async (): Promise<void> => {
        const memory = shared ? new WebAssembly.Memory({ initial: 1, maximum: 1000, shared: true }) : undefined;
        for (let i = 0; i < 5; i++) {
          const invitation = domain.invite();
          const workerData: WindowWork = { invitation, ...(memory && { memory }) };
          const worker = new Worker(PEER, { workerData, transferList: [invitation.port] });
          assert.deepEqual(await once(worker, "message"), [5]);
          await worker.terminate();
        }
        await until(() => domain.agents.length === 1);
        assert.equal(memory?.buffer.byteLength, shared ? 65_536 * 161 : undefined);
      };
      await terminateSome();
      for (let i = 0; i < 100 && mappings() > before; i++) {
        collectGarbage();
        await pause(20);
      }
      assert.equal(mappings(), before);
    },
  );
}

/** libwebp as playwright-core has it: Emscripten has given its functions these names. */
interface Codec {
  readonly memory: ModuleMemory;
  malloc(bytes: number): number;
  encode(rgba: number, width: number, height: number): Uint8Array;
  decode(webp: Uint8Array): Uint8Array;
}

function createCodec(): Codec {
  const folder = createRequire(import.meta.url).resolve("playwright-core/package.json");
  const binary = readFileSync(new URL("lib/webp_codec.wasm", `file://${folder}`));
  type Call = (...values: number[]) => number;
  const grow: Call = (bytes = 0) => {
    memory.grow(Math.ceil((bytes - memory.buffer.byteLength) / 65_536));
    return 1;
  };
  const none: Call = () => 0;
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.from(binary)), {
    a: { a: none, b: grow, c: none, d: none, e: none },
  });
  const { f, g: start, h: encode, i: decode, k: malloc, l: free } = exports as Record<string, Call>;
  const memory = f as unknown as ModuleMemory;
  start!();
  const word = (at: number): number => new DataView(memory.buffer).getUint32(at, true);
  return {
    memory,
    malloc: malloc!,
    encode(rgba, width, height) {
      const size = malloc!(4);
      const result = encode!(rgba, width, height, 75, 1, size);
      return at(memory, result, word(size)).slice();
    },
    decode(webp) {
      const [input, width, height] = [malloc!(webp.length), malloc!(4), malloc!(4)] as const;
      at(memory, input, webp.length).set(webp);
      const result = decode!(input, webp.length, width, height);
      const pixels = at(memory, result, word(width) * word(height) * 4).slice();
      free!(input);
      return pixels;
    },
  };
}
