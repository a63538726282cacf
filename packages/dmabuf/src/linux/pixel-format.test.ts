import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { PIXEL_FORMATS, type PixelFormat } from "../stream/format.js";
import { DISPLAY_NAMES, fourCharacters, fromCharacters, pixelFormatNamed, VIDEO_NAMES } from "./pixel-format.js";
import { streamFormat } from "./video/record.js";

const FORMATS = PIXEL_FORMATS as readonly PixelFormat[];

test("four characters are a number, the first one lowest, and back", () => {
  assert.equal(fromCharacters("NV12"), 0x3231564e);
  assert.equal(fromCharacters("R8"), 0x20203852);
  for (const name of Object.values({ ...VIDEO_NAMES, ...DISPLAY_NAMES }).flat()) {
    assert.equal(fourCharacters(fromCharacters(name)), name);
  }
});

test("a name of a video device's is that of one format", () => {
  const all = Object.values(VIDEO_NAMES).flat();
  assert.equal(new Set(all).size, all.length);
  for (const names of [VIDEO_NAMES, DISPLAY_NAMES]) assert.deepEqual(Object.keys(names).sort(), [...FORMATS].sort());
  for (const format of FORMATS) for (const name of VIDEO_NAMES[format]) assert.equal(pixelFormatNamed(name), format);
  assert.equal(pixelFormatNamed("MJPG"), undefined);
});

/** The four characters of each format in the header of this machine, by the name that it has there. */
function headerNames(): Map<string, string> | undefined {
  try {
    const text = readFileSync("/usr/include/linux/videodev2.h", "utf8");
    const lines = text.matchAll(/#define V4L2_PIX_FMT_(\w+)\s+v4l2_fourcc\('(.)', '(.)', '(.)', '(.)'\)/g);
    return new Map([...lines].map(([, name, ...characters]) => [name!, characters.join("").trimEnd()]));
  } catch {
    return undefined;
  }
}

const header = headerNames();

test("video devices' names are those of the kernel's header", { skip: header ? false : "no header here" }, () => {
  const called = {
    RGBA: ["RGBA32"],
    BGRA: ["ABGR32"],
    RGBX: ["RGBX32"],
    BGRX: ["XBGR32"],
    RGB24: ["RGB24"],
    BGR24: ["BGR24"],
    GREY: ["GREY"],
    GRAY16: ["Y16"],
    YUYV: ["YUYV"],
    UYVY: ["UYVY"],
    NV12: ["NV12"],
    P010: ["P010"],
    I420: ["YUV420"],
    I444: [],
  } as const satisfies Record<PixelFormat, readonly string[]>;
  for (const format of FORMATS) {
    assert.deepEqual(
      VIDEO_NAMES[format],
      called[format].map((name) => header!.get(name)),
      format,
    );
  }
});

test("a camera's images are a stream's where both lay them out alike, and raw bytes elsewhere", () => {
  const image = (pixelFormat: string, stride: number, size: number): unknown => {
    const { kind, ...format } = streamFormat({ pixelFormat, width: 640, height: 480, planes: [{ stride, size }] });
    return kind === "image" ? format.pixelFormat : kind;
  };
  assert.equal(image("YUYV", 1280, 614_400), "YUYV");
  assert.equal(image("UYVY", 1280, 614_400), "UYVY");
  assert.equal(image("RGB3", 1920, 921_600), "RGB24");
  assert.equal(image("Y16", 1280, 614_400), "GRAY16");
  assert.equal(image("P010", 1280, 921_600), "P010");
  assert.equal(image("XR24", 2560, 1_228_800), "BGRX");
  assert.equal(image("XB24", 2560, 1_228_800), "RGBX");
  assert.equal(image("AR24", 2560, 1_228_800), "BGRA");
  assert.equal(image("YUYV", 1344, 645_120), "raw");
  assert.equal(image("MJPG", 0, 614_400), "raw");
});
