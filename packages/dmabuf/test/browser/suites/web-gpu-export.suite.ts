/** The GPU's memory as a buffer of all threads. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { copiedBytes, Domain, type DmaBuf } from "../../../src/index.js";
import { exportGPUBuffer, gpuFence } from "../../../src/web/index.js";
import { readBuffer, USAGE } from "./gpu.js";
import { hire } from "./worker-party.js";

const adapter = await navigator.gpu?.requestAdapter();
const OPTIONS = { timeout: 60_000, skip: adapter ? false : "no WebGPU adapter here" };
const SIZE = 4096;

async function newDevice(): Promise<GPUDevice> {
  // An adapter gives one device.
  const adapter = await navigator.gpu.requestAdapter();
  return adapter!.requestDevice();
}

const bufferOf = (device: GPUDevice, label = "", usage: number = USAGE.COPY_SRC | USAGE.COPY_DST): GPUBuffer =>
  device.createBuffer({ size: SIZE, label, usage: usage | USAGE.STORAGE });

/** Has the GPU write one value everywhere, and the buffer's accesses wait for it. */
async function fill(
  domain: Domain,
  device: GPUDevice,
  target: GPUBuffer,
  buffer: DmaBuf,
  value: number,
): Promise<void> {
  const code = `@group(0) @binding(0) var<storage, read_write> words: array<u32>;
    @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
      words[id.x] = ${value}u * 0x1010101u;
    }`;
  const compute = { module: device.createShaderModule({ code }), entryPoint: "main" };
  const pipeline = device.createComputePipeline({ layout: "auto", compute });
  const entries = [{ binding: 0, resource: { buffer: target } }];
  const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
  using lock = await buffer.reservation.lock();
  void lock;
  buffer.reservation.reserveFences(1);
  const fence = gpuFence(domain, device, () => {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(SIZE / 4 / 64);
    pass.end();
    device.queue.submit([encoder.finish()]);
  });
  buffer.reservation.addFence(fence, "write");
}

test("accesses see what the GPU wrote, and the GPU what they wrote; each copy is in the ledger", OPTIONS, async () => {
  const device = await newDevice();
  using domain = Domain.create();
  const target = bufferOf(device, "results");
  using buffer = exportGPUBuffer(domain, device, target);
  assert.deepEqual([buffer.name, buffer.exporterName, buffer.size], ["results", "webgpu", SIZE]);
  const before = copiedBytes();
  await fill(domain, device, target, buffer, 42);
  {
    using access = await buffer.access("read");
    assert.ok(access.bytes.every((byte) => byte === 42));
  }
  await fill(domain, device, target, buffer, 43);
  {
    using access = await buffer.access("write");
    assert.ok(access.bytes.every((byte) => byte === 43));
    access.bytes[5] = 7;
  }
  const written = await readBuffer(device, target);
  assert.deepEqual([...written.subarray(3, 8)], [43, 43, 7, 43, 43]);
  assert.equal(copiedBytes() - before, 2 * SIZE);
  const expected = { agent: "main", why: "exportGPUBuffer()", bytes: 2 * SIZE, times: 2 };
  assert.deepEqual(domain.copies(), [expected]);
  device.destroy();
});

test("a worker reads after the GPU, and writes for it, blocking", OPTIONS, async () => {
  const device = await newDevice();
  using domain = Domain.create();
  const target = bufferOf(device);
  using buffer = exportGPUBuffer(domain, device, target, { name: "shared" });
  await fill(domain, device, target, buffer, 9);
  using worker = hire(domain, "adder", { buffer: buffer.handle() });
  const answer = domain.import(await worker.says<ReturnType<DmaBuf["handle"]>>());
  const sum = new Uint32Array(answer.segments[0]!.memory)[0];
  assert.equal(sum, SIZE * 10);
  // An access of this thread's comes after the end of the worker's.
  {
    using access = await buffer.access("read");
    assert.equal(access.bytes[SIZE - 1], 10);
  }
  assert.ok((await readBuffer(device, target)).every((byte) => byte === 10));
  device.destroy();
});

test("two readers at once see the same", OPTIONS, async () => {
  const device = await newDevice();
  using domain = Domain.create();
  const target = bufferOf(device);
  using buffer = exportGPUBuffer(domain, device, target);
  await fill(domain, device, target, buffer, 5);
  const accesses = await Promise.all([buffer.access("read"), buffer.access("read"), buffer.access("read")]);
  for (using access of accesses) assert.ok(access.bytes.every((byte) => byte === 5));
  device.destroy();
});

test("a lost device fails accesses with ENODEV, and a GPUBuffer that was destroyed with EINVAL", OPTIONS, async () => {
  const device = await newDevice();
  using domain = Domain.create();
  const target = bufferOf(device);
  using buffer = exportGPUBuffer(domain, device, target);
  target.destroy();
  await assert.rejects(buffer.access("read"), { code: "EINVAL" });
  using other = exportGPUBuffer(domain, device, bufferOf(device));
  (await other.access("write")).close();
  const pending = other.access("read");
  device.destroy();
  await assert.rejects(pending, { code: "ENODEV" });
  await assert.rejects(other.access("write"), { code: "ENODEV" });
});

test("without the usages, and with an odd size, it is refused by name", OPTIONS, async () => {
  const device = await newDevice();
  using domain = Domain.create();
  const exports = (buffer: GPUBuffer): DmaBuf => exportGPUBuffer(domain, device, buffer);
  const refused = (message: RegExp): object => ({ code: "EINVAL", message });
  assert.throws(
    () => exports(bufferOf(device, "", 0)),
    refused(/COPY_SRC and COPY_DST, and it has \d+ bytes and usage 128$/),
  );
  assert.throws(
    () => exports(bufferOf(device, "", USAGE.COPY_DST)),
    refused(/COPY_SRC and COPY_DST, and it has \d+ bytes and usage 136$/),
  );
  const odd = device.createBuffer({ size: 6, usage: USAGE.COPY_SRC | USAGE.COPY_DST });
  assert.throws(() => exports(odd), refused(/a multiple of 4 bytes, .* it has 6 bytes/));
  using long = exports(bufferOf(device, "x".repeat(32)));
  assert.equal(long.name, "");
  device.destroy();
});

test(
  "nothing is left on the GPU when accesses have ended, and the GPUBuffer outlives its export",
  OPTIONS,
  async () => {
    const device = await newDevice();
    using domain = Domain.create();
    const target = bufferOf(device);
    let alive = 0;
    const createBuffer = device.createBuffer.bind(device);
    device.createBuffer = (descriptor) => {
      const buffer = createBuffer(descriptor);
      const destroy = buffer.destroy.bind(buffer);
      alive++;
      buffer.destroy = () => {
        alive--;
        return destroy();
      };
      return buffer;
    };
    const buffer = exportGPUBuffer(domain, device, target);
    for (const mode of ["read", "write", "read"] as const) (await buffer.access(mode)).close();
    assert.equal(alive, 0);
    buffer.close();
    assert.equal((await readBuffer(device, target)).length, SIZE);
    device.destroy();
  },
);
