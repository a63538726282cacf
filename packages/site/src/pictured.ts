/**
 * The domain that the pictures show: a camera, and processes that use its frames. `node pictured.js PLACE` is the camera. It says
 * "ready", and ends with its standard input; the others end with it.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { imageFormat } from "dmabuf";
import { ProcessDomain } from "dmabuf/node";

const FORMAT = imageFormat("RGBA", 640, 360);
const [, , place = "", role = "camera"] = process.argv;

process.on("disconnect", () => process.exit());
switch (role) {
  case "camera":
    await camera();
    break;
  case "detector":
    await detector();
    break;
  default:
    await consumer(role);
}

async function camera(): Promise<void> {
  const domain = ProcessDomain.listen(place, { name: "camera" });
  const stream = domain.createStream({ name: "pictures", format: FORMAT, buffers: 6 });
  for (const name of ["detector", "recorder", "preview"]) domain.fork(new URL(import.meta.url), [place, name]);
  process.stdin
    .on("end", () => {
      domain.close();
      process.exit();
    })
    .resume();
  await stream.waitForConsumers(3);
  console.log("ready");
  for (let n = 0; ; n++) {
    const loan = await stream.loan();
    if (loan === undefined) return;
    const words = new Uint32Array(loan.bytes.buffer, loan.bytes.byteOffset, FORMAT.size / 4);
    // A bright band that moves over a colour gradient.
    words.forEach((_, i) => {
      const [x, y] = [i % 640, Math.floor(i / 640)];
      const band = (x + y + 8 * n) % 320 < 60 ? 96 : 0;
      words[i] = 0xff000000 | ((120 + band) << 16) | ((Math.floor(y / 3) + band) << 8) | (Math.floor(x / 5) + band);
    });
    loan.publish({ data: { n } });
    await sleep(20);
  }
}

/** Takes the newest frame, and says in a stream of its own what it has found. */
async function detector(): Promise<void> {
  const domain = await ProcessDomain.inherit({ name: "detector" });
  const frames = await domain.findStream("pictures", { timeout: 60_000 });
  const found = domain.createStream({ name: "found", format: imageFormat("GREY", 64, 36), buffers: 3 });
  const model = domain.createTimeline({ name: "model" });
  for await (const frame of frames.frames({ policy: "newest" })) {
    const fence = model.createFence();
    await sleep(30);
    fence.signal();
    frame.close();
    const loan = found.tryLoan();
    loan?.bytes.fill(200);
    loan?.publish();
  }
}

/** Does something with each frame, behind a fence. */
async function consumer(name: string): Promise<void> {
  const domain = await ProcessDomain.inherit({ name });
  const frames = await domain.findStream("pictures", { timeout: 60_000 });
  const work = domain.createTimeline({ name: name === "preview" ? "screen" : "disk" });
  if (name === "preview")
    void drain((await domain.findStream("found", { timeout: 60_000 })).frames({ policy: "newest" }));
  for await (const frame of frames.frames({ policy: "drop-oldest" })) {
    const fence = work.createFence();
    await sleep(5);
    fence.signal();
    frame.close();
  }
}

async function drain(frames: AsyncIterable<{ close(): void }>): Promise<void> {
  for await (const frame of frames) frame.close();
}
