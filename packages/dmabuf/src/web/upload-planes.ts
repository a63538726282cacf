import { check } from "../arguments.js";
import { DmaBufError } from "../errors.js";
import type { FrameBytes } from "../stream/frame.js";
import { having } from "./method-kind.js";
import { planesFor } from "./planes-for.js";

const CONTEXT = /* @__PURE__ */ having("texStorage2D", "a WebGL2RenderingContext");

// Numbers of WebGL: as names of the context's they would take half of this in a bundle.

const TEXTURE_2D = 0x0de1;
const PIXEL_UNPACK_BUFFER = 0x88ec;
/** `UNPACK_ALIGNMENT`, `_ROW_LENGTH`, `_SKIP_ROWS`, `_SKIP_PIXELS`, `_FLIP_Y_WEBGL` and `_PREMULTIPLY_ALPHA_WEBGL`. */
const UNPACK = [0x0cf5, 0x0cf2, 0x0cf3, 0x0cf4, 0x9240, 0x9241];
/** `RED` and `R8`, `RG` and `RG8`, `RGB` and `RGB8`, `RGBA` and `RGBA8`: by the bytes of a sample. */
const FORMATS = [
  [0x1903, 0x8229],
  [0x8227, 0x822b],
  [0x1907, 0x8051],
  [0x1908, 0x8058],
] as const;
/** `TEXTURE_MIN_FILTER` is `LINEAR`, `TEXTURE_WRAP_S` and `_WRAP_T` are `CLAMP_TO_EDGE`. */
const DRAWABLE = [
  [0x2801, 0x2601],
  [0x2802, 0x812f],
  [0x2803, 0x812f],
] as const;
const UNSIGNED_BYTE = 0x1401;
const TEXTURE_BINDING_2D = 0x8069;
const TEXTURE_IMMUTABLE_FORMAT = 0x912f;
const PIXEL_UNPACK_BUFFER_BINDING = 0x88ef;

/** What there is storage for in a texture: the storage of most stays as it is from the second frame on. */
const storages = new WeakMap<WebGLTexture, string>();

/**
 * Uploads an image to WebGL, one texture a plane, **from the shared memory itself**: JavaScript copies nothing, and the frame
 * may be given back when the call returns.
 *
 * Samples of 1, 2, 3 and 4 bytes become `R8`, `RG8`, `RGB8` and `RGBA8`, byte by byte: U and V of `NV12` are `.rg`, and of
 * `BGRA` the red one is `.b`. A texture gets its storage with its first frame, and again when the size changes: then it is not
 * repeated and has no smaller images (`CLAMP_TO_EDGE`, `LINEAR`), so that it can be drawn at once. One with storage of
 * `texStorage2D()` must have the plane's size. The state of the context is restored: what is bound, and how it unpacks.
 *
 * @param textures What `gl.createTexture()` gives, one for each plane.
 * @param frame A frame or a loan.
 * @throws {TypeError} Naming the argument that is wrong.
 * @throws {DmaBufError} `EINVAL` if the frame has more planes than there are textures, samples of more than 4 bytes, or a stride
 *   that WebGL does not know; `EBADF` if it was given back.
 *
 * @example
 * ```ts page
 * import type { Consumer } from "dmabuf";
 * import { eachAnimationFrame, uploadPlanes } from "dmabuf/web";
 *
 * declare const gl: WebGL2RenderingContext;
 * declare const consumer: Consumer; // of a stream of I420
 * const textures = [gl.createTexture(), gl.createTexture(), gl.createTexture()];
 * eachAnimationFrame(consumer, (frame) => {
 *   uploadPlanes(gl, textures, frame);
 *   // and draw, with a shader that makes RGB of the three
 * });
 * ```
 */
export function uploadPlanes(gl: WebGL2RenderingContext, textures: readonly WebGLTexture[], frame: FrameBytes): void {
  const call = "uploadPlanes()";
  check(call, "gl", gl, CONTEXT);
  const planes = planesFor(call, "textures", textures, frame);
  // Whatever the program has set, rows are to be where they are, and bytes as they are.
  const [bound, source, ...before] = [TEXTURE_BINDING_2D, PIXEL_UNPACK_BUFFER_BINDING, ...UNPACK].map(
    (name) => gl.getParameter(name) as unknown,
  );
  const unpack = (values: readonly unknown[]): void =>
    UNPACK.forEach((name, i) => gl.pixelStorei(name, (values[i] ?? 0) as number));
  gl.bindBuffer(PIXEL_UNPACK_BUFFER, null);
  try {
    for (const [{ bytes, stride, width, height, bytesPerSample }, texture] of planes) {
      const row = Math.floor(stride / bytesPerSample);
      const alignment = [1, 2, 4, 8].find((unit) => Math.ceil((row * bytesPerSample) / unit) * unit === stride);
      const [layout, inside] = FORMATS[bytesPerSample - 1] ?? [];
      if (!alignment || !layout) {
        const rows = `rows of ${stride} bytes with samples of ${bytesPerSample}`;
        throw new DmaBufError("EINVAL", `${call}: WebGL knows no ${rows}`);
      }
      const storage = `${width} ${height} ${layout}`;
      const last = storages.get(texture);
      gl.bindTexture(TEXTURE_2D, texture);
      unpack([alignment, row]);
      if (last === storage || (!last && gl.getTexParameter(TEXTURE_2D, TEXTURE_IMMUTABLE_FORMAT))) {
        gl.texSubImage2D(TEXTURE_2D, 0, 0, 0, width, height, layout, UNSIGNED_BYTE, bytes);
      } else {
        gl.texImage2D(TEXTURE_2D, 0, inside, width, height, 0, layout, UNSIGNED_BYTE, bytes);
        for (const [name, value] of DRAWABLE) gl.texParameteri(TEXTURE_2D, name, value);
      }
      storages.set(texture, storage);
    }
  } finally {
    unpack(before);
    gl.bindBuffer(PIXEL_UNPACK_BUFFER, source as WebGLBuffer | null);
    gl.bindTexture(TEXTURE_2D, bound as WebGLTexture | null);
  }
}
