/** Fences of work on the GPU: good, invalid, slow, and of a device that is gone. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Domain, type DmaBufError, type Fence } from "../../../src/index.js";
import { gpuFence } from "../../../src/web/index.js";
import { readBuffer, TEXTURE_USAGE, USAGE } from "./gpu.js";

const adapter = await navigator.gpu?.requestAdapter();
const OPTIONS = { timeout: 60_000, skip: adapter ? false : "no WebGPU adapter here" };

async function newDevice(): Promise<GPUDevice> {
  // An adapter gives one device.
  const adapter = await navigator.gpu.requestAdapter();
  return adapter!.requestDevice();
}

const bufferOf = (device: GPUDevice, size = 4096): GPUBuffer =>
  device.createBuffer({ size, usage: USAGE.STORAGE | USAGE.COPY_SRC | USAGE.COPY_DST });

const write = (device: GPUDevice, target: GPUBuffer): void =>
  device.queue.writeBuffer(target, 0, new Uint8Array(target.size));

/** More bytes than either buffer has. */
function copyTooMuch(device: GPUDevice): void {
  const [source, target] = [bufferOf(device, 16), bufferOf(device, 16)];
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(source, 0, target, 0, 64);
  device.queue.submit([encoder.finish()]);
}

/** A compute pass of some hundred milliseconds; each word ends as its number, counted on. */
function slowWork(device: GPUDevice, target: GPUBuffer): () => void {
  const code = `@group(0) @binding(0) var<storage, read_write> words: array<u32>;
    @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
      var x = id.x;
      for (var k = 0u; k < 400000u; k++) { x = x * 1664525u + 1013904223u; }
      words[id.x] = x | 1u;
    }`;
  const compute = { module: device.createShaderModule({ code }), entryPoint: "main" };
  const pipeline = device.createComputePipeline({ layout: "auto", compute });
  const entries = [{ binding: 0, resource: { buffer: target } }];
  const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
  return () => {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(target.size / 4 / 64);
    pass.end();
    device.queue.submit([encoder.finish()]);
  };
}

/** How a fence ends, for this thread and as another one sees it. */
async function endOf(fence: Fence): Promise<string> {
  await fence.wait({ timeout: 20_000 });
  return fence.isSignaled() ? (fence.error?.code ?? "signaled") : "pending";
}

const causeOf = (fence: Fence): DmaBufError => fence.error!.cause as DmaBufError;

test("the fence of good work signals, here and for other agents", OPTIONS, async () => {
  const device = await newDevice();
  using domain = Domain.create();
  using other = Domain.join(domain.invite());
  const target = bufferOf(device);
  const fence = gpuFence(domain, device, () => write(device, target));
  assert.equal(fence.timelineName, "gpu");
  const there = other.import(fence.handle());
  assert.equal(await endOf(fence), "signaled");
  await there.result({ timeout: 30_000 });
  device.destroy();
});

test("invalid work fails it with EINVAL and the browser's words, and the next work is good", OPTIONS, async () => {
  const device = await newDevice();
  using domain = Domain.create();
  const uncaptured: string[] = [];
  device.onuncapturederror = ({ error }) => void uncaptured.push(error.message);
  const fence = gpuFence(domain, device, () => copyTooMuch(device));
  const next = gpuFence(domain, device, () => write(device, bufferOf(device)));
  assert.equal(await endOf(fence), "EINVAL");
  assert.equal(causeOf(fence).code, "EINVAL");
  assert.match(causeOf(fence).message, /^EINVAL: Cannot run the work of the GPU: .{20}/s);
  assert.ok(causeOf(fence).cause instanceof GPUValidationError);
  assert.equal(await endOf(next), "signaled");
  assert.deepEqual(uncaptured, []);
  device.destroy();
});

test("memory that the device does not have fails it with ENOMEM", OPTIONS, async () => {
  const device = await newDevice();
  using domain = Domain.create();
  // 64 GiB: a size that is valid, and that no machine has to spare.
  const size = { width: 8192, height: 8192, depthOrArrayLayers: 64 };
  const fence = gpuFence(domain, device, () => {
    device.createTexture({ size, format: "rgba32float", usage: TEXTURE_USAGE.COPY_DST });
  });
  assert.equal(await endOf(fence), "ENOMEM");
  assert.ok(causeOf(fence).cause instanceof GPUOutOfMemoryError);
  device.destroy();
});

test("a device that is destroyed before, during or after the work: ENODEV, ENODEV, and good", OPTIONS, async () => {
  using domain = Domain.create();
  const before = await newDevice();
  const unused = bufferOf(before);
  before.destroy();
  const fence = gpuFence(domain, before, () => write(before, unused));
  assert.equal(await endOf(fence), "ENODEV");
  assert.match(causeOf(fence).message, /GPU: ./);

  const during = await newDevice();
  const target = bufferOf(during);
  const submit = slowWork(during, target);
  const pending = [gpuFence(domain, during, submit), gpuFence(domain, during, () => write(during, target))];
  during.destroy();
  for (const one of pending) assert.equal(await endOf(one), "ENODEV");

  const after = await newDevice();
  const done = gpuFence(domain, after, () => write(after, bufferOf(after)));
  assert.equal(await endOf(done), "signaled");
  after.destroy();
  await after.lost;
  assert.equal(done.error, undefined);
});

test("a slow compute pass is pending until it has written everything, and the thread goes on", OPTIONS, async () => {
  const device = await newDevice();
  using domain = Domain.create();
  const target = bufferOf(device);
  const submit = slowWork(device, target);
  let turns = 0;
  const counting = setInterval(() => turns++, 1);
  const start = performance.now();
  const fence = gpuFence(domain, device, submit);
  // For good work it is right about the time.
  const worked = device.queue.onSubmittedWorkDone().then(() => performance.now() - start);
  assert.equal(fence.status, 0);
  assert.equal(await endOf(fence), "signaled");
  const waited = performance.now() - start;
  clearInterval(counting);
  const work = await worked;
  assert.ok(waited > work / 2, `signaled after ${waited} ms of work that took ${work} ms`);
  assert.ok(turns > 0, "the event loop was blocked");
  const words = new Uint32Array((await readBuffer(device, target)).buffer);
  assert.ok(words.every((word) => word !== 0));
  device.destroy();
});

test("many fences are in flight, and no buffer of theirs is left", OPTIONS, async () => {
  const device = await newDevice();
  using domain = Domain.create();
  const target = bufferOf(device);
  // Of those that the fences make, as the invalid work makes larger ones.
  const alive = new Set<GPUBuffer>();
  const createBuffer = device.createBuffer.bind(device);
  device.createBuffer = (descriptor) => {
    const buffer = createBuffer(descriptor);
    const destroy = buffer.destroy.bind(buffer);
    buffer.destroy = () => {
      alive.delete(buffer);
      return destroy();
    };
    if (descriptor.size === 4) alive.add(buffer);
    return buffer;
  };
  const isWrong = (n: number): boolean => n % 10 === 9;
  const fences = Array.from({ length: 100 }, (_, n) =>
    gpuFence(domain, device, () => (isWrong(n) ? copyTooMuch(device) : write(device, target))),
  );
  assert.equal(alive.size, 100);
  const ends = await Promise.all(fences.map(endOf));
  assert.deepEqual(
    ends,
    ends.map((_, n) => (isWrong(n) ? "EINVAL" : "signaled")),
  );
  assert.equal(alive.size, 0);
  device.destroy();
});

test("what submit throws is thrown, its scopes end, and a promise of it is refused", OPTIONS, async () => {
  const device = await newDevice();
  using domain = Domain.create();
  const uncaptured = new Promise<string>((resolve) => {
    device.onuncapturederror = ({ error }) => resolve(error.message);
  });
  const planted = new Error("planted");
  const throws = (): void => {
    throw planted;
  };
  assert.throws(() => gpuFence(domain, device, throws), planted);
  // eslint-disable-next-line @typescript-eslint/no-misused-promises -- the mistake that is refused
  assert.throws(() => gpuFence(domain, device, async () => {}), /submit must not return a promise/);
  assert.equal(await endOf(gpuFence(domain, device, () => {})), "signaled");
  // Were a scope left, it would have this.
  copyTooMuch(device);
  await uncaptured;
  device.destroy();
});

test("after its time limit the fence has ended, and the work goes on", OPTIONS, async () => {
  const device = await newDevice();
  using domain = Domain.create();
  const submit = slowWork(device, bufferOf(device));
  const options = { name: "slow", timeLimit: 1 };
  const fence = gpuFence(domain, device, submit, options);
  assert.equal(fence.timelineName, "slow");
  assert.equal(await endOf(fence), "ETIMEDOUT");
  device.destroy();
});
