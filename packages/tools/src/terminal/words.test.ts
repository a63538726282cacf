import assert from "node:assert/strict";
import { test } from "node:test";
import { durationText, printable, printableLines, rateText, sizeText } from "./words.js";

test("sizes, times and rates have the unit that makes them short", () => {
  assert.deepEqual([0, 1023, 1024, 4096, 12 * 4096, 8 << 20, 3 * 2 ** 30, 5000 * 2 ** 40].map(sizeText), [
    "0 B",
    "1023 B",
    "1.0 KiB",
    "4.0 KiB",
    "48 KiB",
    "8.0 MiB",
    "3.0 GiB",
    "5000 TiB",
  ]);
  assert.deepEqual([-5, 1500, 2.5e6, 40e6, 1.25e9, 42e9, 599e9, 1800e9, 7200e9, 40_000e9].map(durationText), [
    "0 µs",
    "2 µs",
    "2.5 ms",
    "40 ms",
    "1.3 s",
    "42 s",
    "599 s",
    "30 min",
    "120 min",
    "11 h",
  ]);
  assert.deepEqual([undefined, 0, 29.97, 1000].map(rateText), ["-", "0.0/s", "30/s", "1000/s"]);
});

test("nothing of a name is obeyed by a terminal, and letters of all scripts stay", () => {
  assert.equal(printable("\u001b]0;title\u0007 \u009b31m\r\n\u202e"), "�]0;title� �31m���");
  assert.equal(printable("映像 é ñ"), "映像 é ñ");
  assert.equal(printableLines("one\ntwo\u001b"), "one\ntwo�");
});
