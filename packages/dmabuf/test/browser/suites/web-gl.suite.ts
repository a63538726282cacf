/** Frames in WebGL: every byte of them is read back. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { copiedBytes, Domain, imageFormat, tensorFormat, type Frame } from "../../../src/index.js";
import { uploadPlanes } from "../../../src/web/index.js";
import { frameOf } from "./gpu.js";

const gl = new OffscreenCanvas(1, 1).getContext("webgl2");
const OPTIONS = { timeout: 30_000, skip: gl === null ? "no WebGL2 here" : false };

/** What is in the planes, without the padding of their rows. */
function rowsOf(frame: Frame): number[][] {
  return frame.planes.map(({ bytes, stride, width, height, bytesPerSample }) =>
    Array.from({ length: height }, (_, y) => [
      ...bytes.subarray(y * stride, y * stride + width * bytesPerSample),
    ]).flat(),
  );
}

/** As many bytes of each pixel as the format has. */
function readBack(gl: WebGL2RenderingContext, texture: WebGLTexture, plane: Frame["planes"][0]): number[] {
  const framebuffer = gl.createFramebuffer();
  gl.bindFramebuffer(gl.FRAMEBUFFER, framebuffer);
  gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, texture, 0);
  assert.equal(gl.checkFramebufferStatus(gl.FRAMEBUFFER), gl.FRAMEBUFFER_COMPLETE);
  const { width, height, bytesPerSample } = plane;
  const pixels = new Uint8Array(width * height * 4);
  gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
  gl.deleteFramebuffer(framebuffer);
  return [...pixels].filter((_, i) => i % 4 < bytesPerSample);
}

const texturesFor = (gl: WebGL2RenderingContext, frame: Frame): WebGLTexture[] =>
  frame.planes.map(() => gl.createTexture());

test("every byte of each plane is in its texture, whatever the stride, and JavaScript copies none", OPTIONS, () => {
  using domain = Domain.create();
  const formats = [
    imageFormat("I420", 7, 5),
    imageFormat("I420", 10, 6, { strideAlignment: 64 }),
    imageFormat("NV12", 11, 5, { strideAlignment: 2 }),
    imageFormat("RGBA", 5, 3),
    imageFormat("BGRA", 5, 3, { strideAlignment: 32 }),
    imageFormat("RGB24", 5, 3),
    imageFormat("RGB24", 5, 3, { strideAlignment: 8 }),
    imageFormat("GRAY16", 3, 9),
    imageFormat("P010", 8, 4),
    imageFormat("YUYV", 8, 4, { strideAlignment: 3 * 4 }),
  ];
  for (const format of formats) {
    using frame = frameOf(domain, format);
    const textures = texturesFor(gl!, frame);
    const before = copiedBytes();
    uploadPlanes(gl!, textures, frame);
    assert.equal(copiedBytes(), before);
    assert.deepEqual(
      frame.planes.map((plane, i) => readBack(gl!, textures[i]!, plane)),
      rowsOf(frame),
      `${format.pixelFormat}, stride ${format.planes[0].stride}`,
    );
    assert.equal(gl!.getError(), gl!.NO_ERROR);
  }
});

test("the frame may be written again when the call has returned", OPTIONS, () => {
  using domain = Domain.create();
  const frame = frameOf(domain, imageFormat("GREY", 64, 64));
  const wanted = rowsOf(frame);
  const [texture] = texturesFor(gl!, frame);
  const { bytes, planes } = frame;
  uploadPlanes(gl!, [texture!], frame);
  frame.close();
  bytes.fill(0);
  assert.deepEqual([readBack(gl!, texture!, planes[0])], wanted);
});

test("what the program has bound and set is as it was, and does not move a pixel", OPTIONS, () => {
  using domain = Domain.create();
  using frame = frameOf(domain, imageFormat("NV12", 10, 6, { strideAlignment: 16 }));
  const textures = texturesFor(gl!, frame);
  const [own, source] = [gl!.createTexture(), gl!.createBuffer()];
  const set: [name: GLenum, value: number | boolean][] = [
    [gl!.UNPACK_ALIGNMENT, 8],
    [gl!.UNPACK_ROW_LENGTH, 33],
    [gl!.UNPACK_SKIP_ROWS, 2],
    [gl!.UNPACK_SKIP_PIXELS, 3],
    [gl!.UNPACK_FLIP_Y_WEBGL, true],
    [gl!.UNPACK_PREMULTIPLY_ALPHA_WEBGL, true],
  ];
  for (const [name, value] of set) gl!.pixelStorei(name, value);
  gl!.activeTexture(gl!.TEXTURE3);
  gl!.bindTexture(gl!.TEXTURE_2D, own);
  gl!.bindBuffer(gl!.PIXEL_UNPACK_BUFFER, source);
  uploadPlanes(gl!, textures, frame);
  assert.deepEqual(
    set.map(([name]) => [name, gl!.getParameter(name) as unknown]),
    set,
  );
  assert.equal(gl!.getParameter(gl!.TEXTURE_BINDING_2D), own);
  assert.equal(gl!.getParameter(gl!.PIXEL_UNPACK_BUFFER_BINDING), source);
  assert.equal(gl!.getParameter(gl!.ACTIVE_TEXTURE), gl!.TEXTURE3);
  for (const [name] of set) gl!.pixelStorei(name, name === gl!.UNPACK_ALIGNMENT ? 4 : 0);
  gl!.bindBuffer(gl!.PIXEL_UNPACK_BUFFER, null);
  assert.deepEqual(
    frame.planes.map((plane, i) => readBack(gl!, textures[i]!, plane)),
    rowsOf(frame),
  );
});

test("a texture takes frames of another size, and one with storage of the program's keeps it", OPTIONS, () => {
  using domain = Domain.create();
  using small = frameOf(domain, imageFormat("GREY", 4, 4));
  using large = frameOf(domain, imageFormat("GREY", 9, 7));
  using other = frameOf(domain, imageFormat("RGBA", 9, 7));
  const [texture] = texturesFor(gl!, small);
  for (const frame of [small, small, large, other, small]) {
    uploadPlanes(gl!, [texture!], frame);
    assert.deepEqual(readBack(gl!, texture!, frame.planes[0]), rowsOf(frame)[0]);
  }
  const own = gl!.createTexture();
  gl!.bindTexture(gl!.TEXTURE_2D, own);
  gl!.texStorage2D(gl!.TEXTURE_2D, 1, gl!.R8, 9, 7);
  for (let n = 0; n < 2; n++) uploadPlanes(gl!, [own], large);
  assert.equal(gl!.getError(), gl!.NO_ERROR);
  assert.deepEqual(readBack(gl!, own, large.planes[0]), rowsOf(large)[0]);
});

test(
  "samples that WebGL has not, more planes than textures, an odd stride and a closed frame are refused, and leave the state",
  OPTIONS,
  () => {
    using domain = Domain.create();
    const upload = (frame: Frame, textures = 4): void =>
      uploadPlanes(
        gl!,
        Array.from({ length: textures }, () => gl!.createTexture()),
        frame,
      );
    using doubles = frameOf(domain, tensorFormat([4, 2], "float64"));
    using planar = frameOf(domain, imageFormat("I420", 8, 8));
    using odd = frameOf(domain, imageFormat("RGB24", 1, 2, { strideAlignment: 5 }));
    assert.throws(() => upload(doubles), { code: "EINVAL", message: /samples of 8/ });
    assert.throws(() => upload(planar, 2), { code: "EINVAL", message: /3 planes, and there are 2 textures/ });
    assert.throws(() => upload(odd), { code: "EINVAL", message: /rows of 5 bytes with samples of 3/ });
    const state = [gl!.getParameter(gl!.UNPACK_ALIGNMENT), gl!.getParameter(gl!.UNPACK_ROW_LENGTH)] as unknown[];
    assert.deepEqual(state, [4, 0]);
    planar.close();
    assert.throws(() => upload(planar), { code: "EBADF" });
  },
);
