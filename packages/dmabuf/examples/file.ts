// Frames into a file, and into a pipeline: node dist/examples/file.js
import { once } from "node:events";
import { createWriteStream, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { Domain, rawFormat, type Consumer, type FrameStream } from "dmabuf";

using domain = Domain.create();
const folder = mkdtempSync(join(tmpdir(), "dmabuf-"));

/** In place: the frame is held until the sink says that it has taken the bytes. */
async function writeInPlace(frames: Consumer, path: string): Promise<void> {
  const file = createWriteStream(path);
  for await (using frame of frames) {
    await new Promise<void>((taken, failed) => file.write(frame.bytes, (error) => (error ? failed(error) : taken())));
  }
  file.end();
  await once(file, "close");
}

/** Where the sink does not say when it has taken the bytes (a pipeline, a response, a socket that queues): copies. */
async function* copies(frames: Consumer): AsyncGenerator<Uint8Array> {
  for await (using frame of frames) yield frame.copy();
}

for (const way of ["in place", "copied"]) {
  using stream = domain.createStream({ name: way, format: rawFormat(1024), buffers: 2 });
  const [path, frames, produced] = [join(folder, way), stream.frames(), produce(stream)];
  if (way === "in place") await writeInPlace(frames, path);
  else await pipeline(copies(frames), createWriteStream(path));
  await produced;
  const written = readFileSync(path);
  const right = Array.from({ length: 50 }, (_, n) => n).filter((n) => written[n * 1024] === n);
  console.log(way, right.length, "of 50 frames are right");
}
rmSync(folder, { recursive: true });

async function produce(stream: FrameStream): Promise<void> {
  for (let n = 0; n < 50; n++) {
    using loan = await stream.loan();
    loan?.bytes.fill(n);
    loan?.publish();
  }
  stream.end();
}
