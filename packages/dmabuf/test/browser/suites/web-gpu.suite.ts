/** Frames in WebGPU: every byte of them is read back. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { copiedBytes, Domain, imageFormat, rawFormat, type FrameFormat } from "../../../src/index.js";
import { writeFrame } from "../../../src/web/index.js";
import { frameOf, readBuffer, TEXTURE_USAGE, USAGE } from "./gpu.js";

const adapter = await navigator.gpu?.requestAdapter();
const OPTIONS = { timeout: 60_000, skip: adapter ? false : "no WebGPU adapter here" };
const device = await adapter?.requestDevice();
after(() => device?.destroy());

const bufferOf = (size: number): GPUBuffer => device!.createBuffer({ size, usage: USAGE.COPY_SRC | USAGE.COPY_DST });

/** Fails with what the device has found wrong. */
async function valid(act: () => Promise<void>): Promise<void> {
  device!.pushErrorScope("validation");
  await act();
  assert.equal((await device!.popErrorScope())?.message, undefined);
}

test("a buffer has every byte of a frame, of any length, and JavaScript copies none", OPTIONS, async () => {
  using domain = Domain.create();
  for (const length of [64, 61, 3, 0]) {
    using frame = frameOf(domain, rawFormat(64), length);
    const target = bufferOf(64);
    const before = copiedBytes();
    await valid(async () => {
      writeFrame(device!.queue, target, frame);
      assert.equal(copiedBytes(), before);
      assert.deepEqual([...(await readBuffer(device!, target)).subarray(0, length)], [...frame.bytes]);
    });
  }
});

test("an image of an odd size fits into a buffer of the next multiple of 4", OPTIONS, async () => {
  using domain = Domain.create();
  using frame = frameOf(domain, imageFormat("I420", 7, 5));
  const target = bufferOf(Math.ceil(frame.length / 4) * 4);
  assert.notEqual(frame.length % 4, 0);
  await valid(async () => {
    writeFrame(device!.queue, target, frame);
    assert.deepEqual([...(await readBuffer(device!, target)).subarray(0, frame.length)], [...frame.bytes]);
  });
});

test("the frame may be written again when the call has returned", OPTIONS, async () => {
  using domain = Domain.create();
  const frame = frameOf(domain, rawFormat(4096));
  const { bytes } = frame;
  const wanted = [...bytes];
  const target = bufferOf(4096);
  writeFrame(device!.queue, target, frame);
  frame.close();
  bytes.fill(0);
  assert.deepEqual([...(await readBuffer(device!, target))], wanted);
});

const TEXTURES: [format: FrameFormat, textures: GPUTextureFormat[]][] = [
  [imageFormat("NV12", 11, 5, { strideAlignment: 64 }), ["r8unorm", "rg8unorm"]],
  [imageFormat("I420", 7, 5), ["r8unorm", "r8unorm", "r8unorm"]],
  [imageFormat("RGBA", 5, 3), ["rgba8unorm"]],
  [imageFormat("BGRA", 5, 3, { strideAlignment: 32 }), ["bgra8unorm"]],
];

test("a texture for each plane has its bytes, whatever the stride", OPTIONS, async () => {
  using domain = Domain.create();
  for (const [frameFormat, formats] of TEXTURES) {
    using frame = frameOf(domain, frameFormat);
    await valid(async () => {
      const textures = frame.planes.map(({ width, height }, i) =>
        device!.createTexture({
          size: [width, height],
          format: formats[i]!,
          usage: TEXTURE_USAGE.COPY_DST | TEXTURE_USAGE.COPY_SRC,
        }),
      );
      writeFrame(device!.queue, textures, frame);
      for (const [i, { bytes, stride, width, height, bytesPerSample }] of frame.planes.entries()) {
        const got = bufferOf(256 * height);
        const encoder = device!.createCommandEncoder();
        encoder.copyTextureToBuffer(
          { texture: textures[i]! },
          { buffer: got, bytesPerRow: 256, rowsPerImage: height },
          [width, height],
        );
        device!.queue.submit([encoder.finish()]);
        const pixels = await readBuffer(device!, got);
        for (let y = 0; y < height; y++) {
          const length = width * bytesPerSample;
          assert.deepEqual(
            [...pixels.subarray(y * 256, y * 256 + length)],
            [...bytes.subarray(y * stride, y * stride + length)],
            `${frameFormat.pixelFormat}, plane ${i}, row ${y}`,
          );
        }
      }
    });
  }
});

test("too few textures, samples of 3 bytes and a closed frame are refused", OPTIONS, () => {
  using domain = Domain.create();
  const texture = device!.createTexture({ size: [8, 8], format: "r8unorm", usage: TEXTURE_USAGE.COPY_DST });
  const { queue } = device!;
  using planar = frameOf(domain, imageFormat("NV12", 8, 8));
  using rgb = frameOf(domain, imageFormat("RGB24", 8, 8));
  assert.throws(() => writeFrame(queue, [texture], planar), {
    code: "EINVAL",
    message: /2 planes, and there are 1 textures/,
  });
  assert.throws(() => writeFrame(queue, [texture], rgb), { code: "EINVAL", message: /3 bytes/ });
  planar.close();
  assert.throws(() => writeFrame(queue, [texture, texture], planar), { code: "EBADF" });
});
