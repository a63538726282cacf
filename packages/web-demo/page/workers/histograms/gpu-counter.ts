import type { Domain, Frame, FrameFormat } from "dmabuf";
import { gpuFence, writeFrame } from "dmabuf/web";
import type { PostedFrame } from "../../shared/messages.js";
import { packedOrder } from "../pixels.js";
import { BINS, type Counter } from "./counter.js";

/** A counter that may end. */
export interface GpuCounter extends Counter {
  /** With the reason. */
  readonly lost: Promise<string>;
}

/** Counts by a compute shader, into which the frame is written from shared memory. @returns What is missing, if it cannot. */
export async function gpuCounter(domain: Domain): Promise<GpuCounter | string> {
  // Declared to be there always, and it is not.
  const gpu = navigator.gpu as GPU | undefined;
  if (gpu === undefined) return "WebGPU is missing in workers here: JavaScript counts.";
  const adapter = await gpu.requestAdapter().catch(() => null);
  if (adapter === null) return "WebGPU finds no graphics processor here: JavaScript counts.";
  try {
    return new Compute(domain, await adapter.requestDevice());
  } catch (error) {
    return `WebGPU gives no device: ${(error as Error).message}. JavaScript counts.`;
  }
}

/** A pixel is one byte of luma, or four of colours. */
const shader = (weights: string): string => `
@group(0) @binding(0) var<storage, read> words: array<u32>;
@group(0) @binding(1) var<storage, read_write> bins: array<atomic<u32>, ${BINS}>;
@group(0) @binding(2) var<uniform> samples: u32;
var<workgroup> mine: array<atomic<u32>, ${BINS}>;

fn add(luma: u32) { atomicAdd(&mine[luma >> 2u], 1u); }

@compute @workgroup_size(${BINS})
fn main(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(local_invocation_index) own: u32,
  @builtin(num_workgroups) groups: vec3u,
) {
  let step = groups.x * ${BINS}u;
  ${weights === "" ? LUMA : COLOURS(weights)}
  workgroupBarrier();
  atomicAdd(&bins[own], atomicLoad(&mine[own]));
}`;

const LUMA = `for (var i = id.x; i * 4u < samples; i += step) {
    for (var k = 0u; k < 4u && i * 4u + k < samples; k++) { add((words[i] >> (8u * k)) & 255u); }
  }`;
const COLOURS = (weights: string): string => `for (var i = id.x; i < samples; i += step) {
    let w = words[i];
    add(dot(vec3u(w & 255u, (w >> 8u) & 255u, (w >> 16u) & 255u), ${weights}) >> 8u);
  }`;

const GROUPS = 32;
const BIN_BYTES = BINS * 4;

/** What one format needs. */
interface Setup {
  readonly input: GPUBuffer;
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
}

class Compute implements GpuCounter {
  readonly how = "WebGPU";
  readonly lost: Promise<string>;
  readonly #domain: Domain;
  readonly #device: GPUDevice;
  readonly #bins: GPUBuffer;
  readonly #read: GPUBuffer;
  readonly #samples: GPUBuffer;
  #setup: Setup | undefined;

  constructor(domain: Domain, device: GPUDevice) {
    const { STORAGE, COPY_SRC, COPY_DST, MAP_READ, UNIFORM } = GPUBufferUsage;
    this.#domain = domain;
    this.#device = device;
    this.#bins = device.createBuffer({ size: BIN_BYTES, usage: STORAGE | COPY_SRC | COPY_DST });
    this.#read = device.createBuffer({ size: BIN_BYTES, usage: MAP_READ | COPY_DST });
    this.#samples = device.createBuffer({ size: 4, usage: UNIFORM | COPY_DST });
    this.lost = device.lost.then(({ message, reason }) => message || reason);
  }

  begin(format: FrameFormat): void {
    const device = this.#device;
    this.#setup?.input.destroy();
    const order = packedOrder(format);
    const code = shader(order === undefined ? "" : order === "RGB" ? "vec3u(54, 183, 19)" : "vec3u(19, 183, 54)");
    const module = device.createShaderModule({ code });
    const pipeline = device.createComputePipeline({ layout: "auto", compute: { module, entryPoint: "main" } });
    const { STORAGE, COPY_DST } = GPUBufferUsage;
    const input = device.createBuffer({ size: Math.ceil(format.size / 4) * 4, usage: STORAGE | COPY_DST });
    const buffers = [input, this.#bins, this.#samples];
    const group = device.createBindGroup({
      layout: pipeline.getBindGroupLayout(0),
      entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
    });
    const [{ width, height }] = format.planes;
    device.queue.writeBuffer(this.#samples, 0, new Uint32Array([width * height]));
    this.#setup = { input, pipeline, group };
  }

  async shared(frame: Frame): Promise<readonly number[]> {
    const { input } = this.#setup!;
    return this.#count(() => {
      writeFrame(this.#device.queue, input, frame);
      // The browser has the bytes.
      frame.close();
    });
  }

  async posted({ bytes }: PostedFrame): Promise<readonly number[]> {
    const { input } = this.#setup!;
    return this.#count(() => this.#device.queue.writeBuffer(input, 0, bytes, 0, bytes.length & ~3));
  }

  async #count(write: () => void): Promise<readonly number[]> {
    const device = this.#device;
    const { pipeline, group } = this.#setup!;
    const done = gpuFence(this.#domain, device, () => {
      write();
      const encoder = device.createCommandEncoder();
      encoder.clearBuffer(this.#bins);
      const pass = encoder.beginComputePass();
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(GROUPS);
      pass.end();
      encoder.copyBufferToBuffer(this.#bins, 0, this.#read, 0, BIN_BYTES);
      device.queue.submit([encoder.finish()]);
    });
    // Fails if the device was lost, or the work was wrong.
    await done.result().finally(() => done.close());
    await this.#read.mapAsync(GPUMapMode.READ);
    const bins = [...new Uint32Array(this.#read.getMappedRange())];
    this.#read.unmap();
    return bins;
  }
}
