import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { imageFormat, rawFormat, tensorFormat, tensorView, type FrameFormat } from "./format.js";

/** Offset, stride, rows, samples in a row and bytes of a sample of each plane. */
function planes(format: FrameFormat): number[][] {
  return format.planes.map((plane) => [plane.offset, plane.stride, plane.height, plane.width, plane.bytesPerSample]);
}

describe("imageFormat()", () => {
  test("puts NV12's luma first and its (U, V) pairs at half the size behind it", () => {
    const format = imageFormat("NV12", 1920, 1080);
    assert.equal(format.size, 3_110_400);
    assert.deepEqual(planes(format), [
      [0, 1920, 1080, 1920, 1],
      [2_073_600, 1920, 540, 960, 2],
    ]);
  });

  test("gives I420 three planes, RGBA, BGRA and GREY one", () => {
    assert.deepEqual(planes(imageFormat("I420", 4, 2)), [
      [0, 4, 2, 4, 1],
      [8, 2, 1, 2, 1],
      [10, 2, 1, 2, 1],
    ]);
    assert.deepEqual(planes(imageFormat("RGBA", 3, 2)), [[0, 12, 2, 3, 4]]);
    assert.deepEqual(planes(imageFormat("BGRA", 3, 2)), [[0, 12, 2, 3, 4]]);
    assert.deepEqual(planes(imageFormat("GREY", 3, 2)), [[0, 3, 2, 3, 1]]);
  });

  test("gives each format the bytes that other programs give it", () => {
    const sizes = {
      RGB24: 36,
      BGR24: 36,
      GREY: 12,
      GRAY16: 24,
      YUYV: 24,
      UYVY: 24,
      P010: 36,
      I420: 18,
      I444: 36,
    } as const;
    for (const [name, size] of Object.entries(sizes)) {
      assert.equal(imageFormat(name as keyof typeof sizes, 6, 2).size, size, name);
    }
    assert.deepEqual(planes(imageFormat("RGB24", 3, 2)), [[0, 9, 2, 3, 3]]);
    assert.deepEqual(planes(imageFormat("GRAY16", 3, 2)), [[0, 6, 2, 3, 2]]);
    assert.deepEqual(planes(imageFormat("P010", 4, 4)), [
      [0, 8, 4, 4, 2],
      [32, 8, 2, 2, 4],
    ]);
    assert.deepEqual(planes(imageFormat("I444", 3, 2)), [
      [0, 3, 2, 3, 1],
      [6, 3, 2, 3, 1],
      [12, 3, 2, 3, 1],
    ]);
    // Two pixels are one sample, and the last one of an odd row has one of its own.
    for (const name of ["YUYV", "UYVY"] as const) assert.deepEqual(planes(imageFormat(name, 5, 3)), [[0, 12, 3, 3, 4]]);
    assert.equal(imageFormat("RGB24", 7, 1, { strideAlignment: 4 }).planes[0].stride, 24);
  });

  test("rounds half of an odd size up, so that every pixel has its colour", () => {
    const nv12 = imageFormat("NV12", 5, 3);
    assert.deepEqual(planes(nv12), [
      [0, 5, 3, 5, 1],
      [15, 6, 2, 3, 2],
    ]);
    assert.equal(nv12.size, 27);
    const i420 = imageFormat("I420", 1, 1);
    assert.deepEqual(planes(i420), [
      [0, 1, 1, 1, 1],
      [1, 1, 1, 1, 1],
      [2, 1, 1, 1, 1],
    ]);
  });

  test("makes every stride a multiple of the alignment", () => {
    const format = imageFormat("I420", 100, 10, { strideAlignment: 64 });
    assert.deepEqual(planes(format), [
      [0, 128, 10, 100, 1],
      [1280, 64, 5, 50, 1],
      [1600, 64, 5, 50, 1],
    ]);
    assert.equal(format.size, 1920);
    assert.equal(imageFormat("RGBA", 7, 1, { strideAlignment: 16 }).planes[0].stride, 32);
    assert.equal(imageFormat("GREY", 7, 1, { strideAlignment: 3 }).planes[0].stride, 9);
  });

  test("refuses a size or an alignment that is no positive integer, and names it", () => {
    for (const bad of [0, -1, 1.5, NaN, Infinity, 2 ** 53]) {
      assert.throws(() => imageFormat("GREY", bad, 1), { name: "RangeError", message: /width/ });
      assert.throws(() => imageFormat("GREY", 1, bad), { name: "RangeError", message: /height/ });
      const expected = { name: "RangeError", message: /strideAlignment/ };
      assert.throws(() => imageFormat("GREY", 1, 1, { strideAlignment: bad }), expected);
    }
  });

  test("refuses an unknown pixel format and names those there are", () => {
    const expected = {
      name: "TypeError",
      message: /"RGBA", "BGRA", "RGBX", "BGRX", "RGB24".* "I420" or "I444", not "YUY2"/,
    };
    assert.throws(() => imageFormat("YUY2" as "GREY", 1, 1), expected);
  });
});

describe("tensorFormat()", () => {
  test("has the last dimension contiguous, and the size of all elements", () => {
    const format = tensorFormat([2, 3, 5], "float32");
    assert.deepEqual(planes(format), [[0, 20, 6, 5, 4]]);
    assert.equal(format.size, 120);
    assert.deepEqual([format.shape, format.type], [[2, 3, 5], "float32"]);
    assert.equal(tensorFormat([7], "int64").size, 56);
  });

  test("keeps its own copy of the shape", () => {
    const shape = [2, 2];
    const format = tensorFormat(shape, "uint8");
    shape[0] = 9;
    assert.deepEqual(format.shape, [2, 2]);
  });

  test("refuses no dimension, one that is no positive integer, and an unknown type", () => {
    assert.throws(() => tensorFormat([], "uint8"), RangeError);
    assert.throws(() => tensorFormat([2, 0], "uint8"), { name: "RangeError", message: /shape\[1\]/ });
    assert.throws(() => tensorFormat([1], "float8" as "int8"), { name: "TypeError", message: /float64.*float8/ });
  });
});

describe("tensorView()", () => {
  test("gives a typed array over the bytes, without a copy", () => {
    const bytes = new Uint8Array(new SharedArrayBuffer(64), 8, 48);
    const types = {
      int8: Int8Array,
      uint8: Uint8Array,
      int16: Int16Array,
      uint16: Uint16Array,
      int32: Int32Array,
      uint32: Uint32Array,
      float32: Float32Array,
      float64: Float64Array,
      int64: BigInt64Array,
      uint64: BigUint64Array,
      float16: Uint16Array,
      bfloat16: Uint16Array,
      bool: Uint8Array,
    } as const;
    for (const [type, elements] of Object.entries(types)) {
      const view = tensorView(tensorFormat([2, 3], type as keyof typeof types), bytes);
      assert.equal(view.constructor, elements);
      assert.deepEqual([view.length, view.byteOffset, view.buffer], [6, 8, bytes.buffer]);
    }
  });

  test("refuses a frame that is no tensor", () => {
    assert.throws(() => tensorView(rawFormat(8), new Uint8Array(8)), { name: "TypeError", message: /kind "raw"/ });
  });
});

test("rawFormat() is one row of bytes", () => {
  assert.deepEqual(planes(rawFormat(1000)), [[0, 1000, 1, 1000, 1]]);
  assert.throws(() => rawFormat(0), { name: "RangeError", message: /size/ });
});

test("a format is plain data", () => {
  for (const format of [imageFormat("NV12", 4, 4), tensorFormat([4], "int8"), rawFormat(4)]) {
    assert.deepEqual(structuredClone(format), format);
  }
});
