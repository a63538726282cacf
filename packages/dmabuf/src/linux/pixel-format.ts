import type { PixelFormat } from "../stream/format.js";

/** Pixel formats as the kernel numbers them: four characters in 32 bits, the first one lowest. */

export function fourCharacters(code: number): string {
  return String.fromCharCode(...[0, 8, 16, 24].map((shift) => (code >>> shift) & 0x7f)).trimEnd();
}

export function fromCharacters(text: string): number {
  const padded = text.padEnd(4);
  return [0, 1, 2, 3].reduce((code, i) => (code | (padded.charCodeAt(i) << (8 * i))) >>> 0, 0);
}

/** What video devices call the formats of images, where they lay them out alike. Cameras have I444 in separate planes only. */
export const VIDEO_NAMES: Readonly<Record<PixelFormat, readonly string[]>> = {
  RGBA: ["AB24"],
  BGRA: ["AR24"],
  RGBX: ["XB24"],
  BGRX: ["XR24"],
  RGB24: ["RGB3"],
  BGR24: ["BGR3"],
  GREY: ["GREY"],
  GRAY16: ["Y16"],
  YUYV: ["YUYV"],
  UYVY: ["UYVY"],
  NV12: ["NV12"],
  P010: ["P010"],
  I420: ["YU12"],
  I444: [],
};

/**
 * What displays call them: they name three bytes of colour from the last one in memory to the first. An alpha has no meaning on a
 * screen, so names without one come first.
 */
export const DISPLAY_NAMES: Readonly<Record<PixelFormat, readonly string[]>> = {
  RGBA: ["XB24", "AB24"],
  BGRA: ["XR24", "AR24"],
  RGBX: ["XB24"],
  BGRX: ["XR24"],
  RGB24: ["BG24"],
  BGR24: ["RG24"],
  GREY: ["R8"],
  GRAY16: ["R16"],
  YUYV: ["YUYV"],
  UYVY: ["UYVY"],
  NV12: ["NV12"],
  P010: ["P010"],
  I420: ["YU12"],
  I444: ["YU24"],
};

/** What the library calls the images of a video device; `undefined` if it has no name for them. */
export function pixelFormatNamed(name: string): PixelFormat | undefined {
  const names = Object.entries(VIDEO_NAMES) as [PixelFormat, readonly string[]][];
  return names.find(([, each]) => each.includes(name))?.[0];
}
