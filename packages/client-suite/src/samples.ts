import type { JsonValue, Picture } from "dmabuf";

/** Data of each kind. */
export const DATA: readonly JsonValue[] = [
  0,
  -1.5e-7,
  9007199254740991,
  true,
  false,
  "",
  'line\nend "quoted" \\ / \u0001 \u007f',
  "é ü 日本 🎥",
  [],
  {},
  [1, [2, [3, [null]]]],
  { a: { b: { c: [{ d: "e" }] } }, "": 1, "ü é": "日本" },
  { done: true, place: 3, end: true },
  "x".repeat(3000),
];

/** Pictures for images of at least 16 × 8. */
export const PICTURES: readonly Picture[] = [
  {},
  { duration: 40_000 },
  { rotation: 0, flip: false },
  { rotation: 270, flip: true, displayWidth: 1920, displayHeight: 1080 },
  { visibleRect: { x: 0, y: 0, width: 16, height: 8 } },
  { visibleRect: { x: 2, y: 3, width: 4, height: 5 }, duration: 0.5 },
  { colorSpace: { primaries: null, transfer: "pq", matrix: "bt2020-ncl", fullRange: false } },
  { colorSpace: { primaries: "smpte432", transfer: "iec61966-2-1", matrix: "rgb", fullRange: true }, rotation: 90 },
  { colorSpace: { fullRange: null } },
];
