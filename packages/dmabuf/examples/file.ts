// Frames into a file, and a file into frames: node dist/examples/file.js
import { createReadStream, createWriteStream, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { copiedBytes, Domain, rawFormat } from "dmabuf";
import { readableFrom, writableFrom } from "dmabuf/node";

using domain = Domain.create();
const folder = mkdtempSync(join(tmpdir(), "dmabuf-"));
const path = join(folder, "frames");

// Out: each frame is written in place, and goes back to the ring when the file has its bytes.
using camera = domain.createStream({ name: "camera", format: rawFormat(1024), buffers: 2 });
const written = pipeline(readableFrom(camera.frames()), createWriteStream(path));
for (let n = 0; n < 50; n++) {
  using loan = await camera.loan();
  loan?.bytes.fill(n);
  loan?.publish();
}
camera.end();
await written;
console.log("50 frames are written,", copiedBytes(), "bytes were copied");

// In: chunks of any size fill frames, and wait for buffers that are free.
using player = domain.createStream({ name: "player", format: rawFormat(1024), buffers: 2 });
const frames = player.frames();
const read = pipeline(createReadStream(path), writableFrom(player));
let right = 0;
for await (using frame of frames) if (frame.bytes.every((byte) => byte === frame.sequence)) right++;
await read;
console.log(right, "of 50 frames are right");
rmSync(folder, { recursive: true });
