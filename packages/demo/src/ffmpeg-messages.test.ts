import assert from "node:assert/strict";
import { test } from "node:test";
import { FfmpegMessages, lastWords, secondsOf } from "./ffmpeg-messages.js";

test("FfmpegMessages notices that a file was cut off, also in a line that comes in two pieces", () => {
  const messages = new FfmpegMessages("file:a.mp4");
  messages.add("[mov,mp4 @ 0x1f] stream 0, offset 0x10: part");
  assert.equal(messages.cutOff, false);
  messages.add("ial file\n");
  assert.equal(messages.cutOff, true);
});

test("FfmpegMessages remembers a cut that was followed by much talk", () => {
  const messages = new FfmpegMessages("file:a.mkv");
  messages.add("[matroska,webm @ 0x1f] File ended prematurely\n");
  messages.add("deprecated pixel format used\n".repeat(1000));
  assert.equal(messages.cutOff, true);
  assert.ok(messages.lastWords(3).length < 200);
});

test("lastWords() leaves out addresses, the file's name, progress and repetitions", () => {
  const said = "[h264 @ 0x6410e80] bad\n[h264 @ 0x6410e81] bad\nframe=  12 fps=0.0\nfile:a.mp4: Invalid data\n";
  assert.equal(lastWords(said, "file:a.mp4", 3), "[h264] bad; Invalid data");
  assert.equal(lastWords("", "file:a.mp4", 3), "ffmpeg gave no reason");
});

test("lastWords() leaves out what ffmpeg says of itself", () => {
  const banner = "ffmpeg version 5.1.9 Copyright\n  built with gcc 12\n  configuration: --enable-gpl\n";
  const parts = "  libavutil      57. 28.100 / 57. 28.100\n  libpostproc    56.  6.100 / 56.  6.100\n";
  assert.equal(lastWords(`${banner}${parts}file:a.mp4: Invalid data\n`, "file:a.mp4", 2), "Invalid data");
});

test("secondsOf() counts hours and minutes", () => {
  assert.equal(secondsOf("01:02:03.25"), 3723.25);
});
