import assert from "node:assert/strict";
import { test } from "node:test";
import { copiedBytes, Domain, rawFormat, type FrameStream, type ModuleMemory } from "../index.js";

const PAGE = 65_536;
const FORMAT = rawFormat(8192);

async function published(stream: FrameStream, value: number): Promise<void> {
  const loan = await stream.loan();
  loan!.bytes.fill(value);
  loan!.publish();
}

function bytesAt(memory: ModuleMemory, pointer: number, length: number): Uint8Array {
  return new Uint8Array(memory.buffer, pointer, length);
}

test("a frame of threads is copied into a module's own memory, and the copy is counted", async () => {
  const memory = new WebAssembly.Memory({ initial: 1 });
  using domain = Domain.create();
  using stream = domain.createStream({ format: FORMAT, buffers: 2 });
  using consumer = stream.frames();
  using window = domain.createModuleWindow(memory, stream);
  assert.equal(window.way, "copied");
  const before = copiedBytes();
  const pointers: number[] = [];
  for (const value of [1, 2, 3]) {
    await published(stream, value);
    using frame = (await consumer.next())!;
    const pointer = window.pointerTo(frame);
    assert.ok(pointer >= PAGE && pointer % PAGE === 0, "the module's own page is not used");
    assert.deepEqual(bytesAt(memory, pointer, FORMAT.size), frame.bytes);
    pointers.push(pointer);
  }
  assert.equal(copiedBytes() - before, 3 * FORMAT.size);
  assert.equal(pointers[0], pointers[2], "each buffer has its place");
  const copied = copiedBytes();
  (await stream.loan())!.publish({ length: 100 });
  using short = (await consumer.next())!;
  window.pointerTo(short);
  assert.equal(copiedBytes() - copied, 100, "what does not count is not copied");
  window.close();
  assert.ok(bytesAt(memory, PAGE, 2 * PAGE).every((byte) => byte === 0));
});

test("frames of a heap in a module's shared memory are there in place, in each thread, also after it has grown", async () => {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1000, shared: true });
  using domain = Domain.create();
  domain.heaps.addModuleMemory("module", memory);
  using stream = domain.createStream({ format: FORMAT, buffers: 2, heap: "module" });
  memory.grow(7);
  using other = Domain.join(domain.invite());
  using theirs = other.import(structuredClone(stream.handle()));
  using consumer = theirs.frames();
  using window = other.createModuleWindow(memory, theirs);
  using producing = domain.createModuleWindow(memory, stream, { mode: "read-write" });
  assert.deepEqual([window.way, producing.way], ["in place", "in place"]);
  const before = copiedBytes();
  const loan = (await stream.loan())!;
  bytesAt(memory, producing.pointerTo(loan), FORMAT.size).fill(9);
  loan.publish();
  using frame = (await consumer.next())!;
  assert.ok(frame.bytes.every((byte) => byte === 9));
  assert.deepEqual(bytesAt(memory, window.pointerTo(frame), FORMAT.size), frame.bytes);
  assert.equal(copiedBytes(), before);
});

test("a frame of another module's memory is not taken for one that is there in place", () => {
  const terms = { initial: 1, maximum: 1000, shared: true };
  const [memory, other] = [new WebAssembly.Memory(terms), new WebAssembly.Memory(terms)];
  using domain = Domain.create();
  domain.heaps.addModuleMemory("module", memory);
  domain.heaps.addModuleMemory("other", other);
  using stream = domain.createStream({ format: FORMAT, heap: "module" });
  using twin = domain.createStream({ format: FORMAT, heap: "other" });
  assert.equal(domain.createModuleWindow(other, stream).way, "copied");
  assert.equal(domain.createModuleWindow(memory, twin).way, "copied");
  assert.equal(domain.createModuleWindow(memory, stream).way, "in place");
});

test("memory of a buffer that its last holder has closed is used again, and zeroed", () => {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 100, shared: true });
  using domain = Domain.create();
  const heap = domain.heaps.addModuleMemory("module", memory);
  for (let i = 0; i < 100; i++) {
    using buffer = heap.allocate(3 * PAGE);
    using access = buffer.tryAccess("write")!;
    assert.ok(access.bytes.every((byte) => byte === 0));
    access.bytes.fill(i);
  }
  assert.equal(memory.buffer.byteLength, 5 * PAGE);
  assert.throws(() => heap.allocate(100 * PAGE), { code: "ENOMEM" });
  assert.throws(() => heap.allocate(PAGE, { sealed: true }), { code: "EOPNOTSUPP" });
});

test("room that a window has grown is used again by the next one", () => {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 100 });
  using domain = Domain.create();
  using stream = domain.createStream({ format: FORMAT, buffers: 4 });
  for (let i = 0; i < 1000; i++) domain.createModuleWindow(memory, stream).close();
  assert.equal(memory.buffer.byteLength, 5 * PAGE);
  using _one = domain.createModuleWindow(memory, stream);
  using _other = domain.createModuleWindow(memory, stream);
  assert.equal(memory.buffer.byteLength, 9 * PAGE);
});

test("room that the program finds is checked: where it begins, where it ends, and whether another window has it", () => {
  const memory = new WebAssembly.Memory({ initial: 4 });
  using domain = Domain.create();
  using stream = domain.createStream({ format: FORMAT, buffers: 2 });
  const at = (address: unknown): unknown =>
    domain.createModuleWindow(memory, stream, {
      allocate(bytes, alignment) {
        assert.deepEqual([bytes, alignment], [2 * PAGE, PAGE]);
        return address as number;
      },
    });
  assert.throws(() => at(4096), {
    name: "RangeError",
    message: 'Domain.createModuleWindow(): what option "allocate" gives must be a multiple of 65536, not 4096',
  });
  assert.throws(() => at(-PAGE), { name: "RangeError" });
  assert.throws(() => at(NaN), { name: "RangeError" });
  assert.throws(() => at("1"), { name: "TypeError" });
  assert.throws(() => at(0), { code: "ENOMEM" });
  assert.throws(() => at(3 * PAGE), { name: "RangeError", message: /followed by 131072 bytes/ });
  using window = domain.createModuleWindow(memory, stream, { allocate: () => PAGE });
  assert.throws(() => at(2 * PAGE), { code: "EBUSY" });
  window.close();
  using _again = domain.createModuleWindow(memory, stream, { allocate: () => 2 * PAGE });
  assert.equal(memory.buffer.byteLength, 4 * PAGE);
});

test("what cannot be had is refused by its name, and nothing is taken", async () => {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 2 });
  using domain = Domain.create();
  using stream = domain.createStream({ format: FORMAT, buffers: 2 });
  using buffer = domain.allocate(4096);
  const elsewhere = { buffer: memory.buffer, grow: () => 0 };
  assert.throws(() => domain.createModuleWindow(elsewhere, stream), {
    name: "TypeError",
    message: /^Domain\.createModuleWindow\(\): memory must be a WebAssembly\.Memory, not /,
  });
  assert.throws(() => domain.createModuleWindow(memory, stream), { code: "ENOMEM" });
  assert.throws(() => domain.createModuleWindow(memory, buffer, { mode: "read-write" }), { code: "EOPNOTSUPP" });
  using reader = buffer.duplicate("read");
  assert.throws(() => domain.createModuleWindow(memory, reader, { mode: "read-write" }), { code: "EACCES" });
  assert.throws(() => domain.heaps.addModuleMemory("module", memory), { name: "TypeError" });
  assert.throws(() => domain.createStream({ format: FORMAT, heap: "none" }), { code: "ENODEV" });

  using window = domain.createModuleWindow(memory, buffer);
  await published(stream, 1);
  using frame = (await stream.frames().next())!;
  assert.throws(() => window.pointerTo(frame), { code: "EINVAL" });
  assert.equal(bytesAt(memory, window.pointerTo(buffer), 4096).length, 4096);
  window.close();
  assert.throws(() => window.pointerTo(buffer), { code: "EBADF" });
  stream.close();
  assert.throws(() => domain.createModuleWindow(memory, stream), { code: "EBADF" });
});

test("a stream takes no memory of a heap whose buffers need their exporter", () => {
  using domain = Domain.create();
  const ops = { map: () => [], unmap() {}, release() {} };
  domain.heaps.add("device", {
    allocate: (size) => ({ segments: [{ memory: new SharedArrayBuffer(size), offset: 0, length: size }], ops }),
  });
  assert.throws(() => domain.createStream({ format: FORMAT, heap: "device" }), { code: "EOPNOTSUPP" });
  assert.equal(domain.statistics().length, 0);
});
