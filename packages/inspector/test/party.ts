/**
 * A process of a domain: `node party.js ROLE PLACE [NAME]`. It says "ready", and ends with its standard input.
 *
 * - `producer` listens, and publishes 50 frames a second in the stream "camera".
 * - `consumer` takes them.
 * - `copier` copies their bytes.
 * - `holder` takes the first one and keeps it.
 * - `gallery` listens, and has a frame of each kind in the streams "halves", "wide", "weights" and "voice", and a buffer that changes.
 * - `crowd` listens, and has 1,000 buffers.
 * - `signaller` listens, and signals 100 timelines again and again; on each of them one fence stays pending.
 * - `left` and `right` hold each other's only buffer, and wait for their own; `left` listens.
 * - `blender` listens, and takes two buffers in both orders, which the validator reports.
 * - `churn` is a crowd that has others all the time.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { audioFormat, imageFormat, tensorFormat, type DmaBuf, type FrameFormat, type Loan } from "dmabuf";
import { ProcessDomain } from "dmabuf/node";

const [role, place = "", name = role ?? ""] = process.argv.slice(2);
process.stdin.on("end", () => process.exit()).resume();

switch (role) {
  case "producer":
    await produce();
    break;
  case "consumer":
  case "copier":
  case "holder":
    await consume();
    break;
  case "left":
  case "right":
    await embrace(role);
    break;
  case "gallery":
    await show();
    break;
  case "blender":
    await blend();
    break;
  case "churn":
    churn();
    break;
  case "signaller":
    await signal();
    break;
  default:
    crowd();
}

async function produce(): Promise<void> {
  const domain = ProcessDomain.listen(place, { name });
  const stream = domain.createStream({ name: "camera", format: imageFormat("RGBA", 320, 180), buffers: 6 });
  console.log("ready");
  await stream.waitForConsumers(1);
  for (let n = 0; ; n++) {
    using loan = await stream.loan();
    loan?.planes[0].bytes.fill(n % 256);
    loan?.publish({ data: { n } });
    await sleep(20);
  }
}

async function consume(): Promise<void> {
  const domain = await ProcessDomain.connect(place, { name });
  const stream = await domain.findStream("camera", { timeout: 30_000 });
  const frames = stream.frames({ policy: "drop-oldest" });
  console.log("ready");
  for await (const frame of frames) {
    if (role === "holder") await new Promise(() => {});
    if (role === "copier") frame.copy();
    frame.close();
  }
}

async function embrace(side: "left" | "right"): Promise<void> {
  const domain = side === "left" ? ProcessDomain.listen(place, { name }) : await ProcessDomain.connect(place, { name });
  const own = domain.createStream({ name: `of ${name}`, format: imageFormat("RGBA", 64, 64), buffers: 1 });
  console.log("ready");
  const other = await domain.findStream(side === "left" ? "of right" : "of left", { timeout: 60_000 });
  const frames = other.frames();
  await own.waitForConsumers(1);
  const loan = await own.loan();
  loan?.publish();
  const kept = await frames.next();
  await own.loan();
  kept?.close();
}

async function show(): Promise<void> {
  const domain = ProcessDomain.listen(place, { name });
  const frame = async (name: string, format: FrameFormat, fill: (loan: Loan) => void): Promise<void> => {
    const stream = domain.createStream({ name, format, buffers: 2 });
    for (let i = 0; i < 2; i++) {
      const loan = await stream.loan();
      if (loan === undefined) throw new Error(`There is no room in ${name}`);
      fill(loan);
      loan.publish();
    }
  };
  await frame("halves", imageFormat("BGRA", 64, 36), ({ planes: [{ bytes }] }) => {
    // Red on the left, blue on the right.
    for (let i = 0; i < bytes.length; i += 4) bytes[i + ((i / 4) % 64 < 32 ? 2 : 0)] = 255;
  });
  await frame("wide", imageFormat("NV12", 1920, 1080), ({ planes: [luma, chroma] }) => {
    luma.bytes.fill(235);
    chroma?.bytes.fill(128);
  });
  await frame("weights", tensorFormat([2, 3], "float32"), ({ tensor }) => {
    (tensor as Float32Array).set([-1, 0, 3, NaN, 1, 2]);
  });
  const voice = audioFormat({ channels: 2, rate: 8000, samples: 100, layout: "planar" });
  await frame("voice", voice, ({ samples: [left] }) => (left as Float32Array).fill(0.25, 50));
  const counter = domain.allocate(4096, { name: "counter" });
  let n = 0;
  setInterval(() => {
    using access = counter.accessSync("write");
    access.bytes[0] = ++n % 256;
    access.bytes.set([0x64, 0x6d, 0x61], 1);
  }, 50);
  console.log("ready");
}

async function blend(): Promise<void> {
  const domain = ProcessDomain.listen(place, { name });
  const [red, blue] = ["red", "blue"].map((each) => domain.allocate(4096, { name: each }));
  if (red === undefined || blue === undefined) throw new Error("There are no buffers");
  for (const [one, other] of [
    [red, blue],
    [blue, red],
  ] as const) {
    using _first = await one.access("write");
    using _second = await other.access("write");
  }
  console.log("ready");
}

function crowd(): void {
  const buffers = tiles(ProcessDomain.listen(place, { name }));
  console.log("ready");
  setInterval(() => buffers.length, 1000);
}

function churn(): void {
  const domain = ProcessDomain.listen(place, { name });
  let buffers = tiles(domain);
  console.log("ready");
  setInterval(() => {
    for (const buffer of buffers) buffer.close();
    buffers = tiles(domain);
  }, 50);
}

async function signal(): Promise<void> {
  const domain = ProcessDomain.listen(place, { name });
  const timelines = Array.from({ length: 100 }, (_, n) => domain.createTimeline({ name: `ring ${n}` }));
  const result = domain.allocate(4096, { name: "result" });
  const stuck = domain.createTimeline({ name: "stuck" });
  {
    using _lock = await result.reservation.lock();
    result.reservation.reserveFences(1);
    result.reservation.addFence(stuck.createFence(), "write");
  }
  console.log("ready");
  setInterval(() => {
    for (const [n, timeline] of timelines.entries()) {
      for (let i = 0; i < 20; i++) {
        const { seqno } = timeline.createFence();
        timeline.signal(seqno, n === 3 && i === 7 ? "EIO" : undefined);
      }
    }
  }, 50);
}

function tiles(domain: ProcessDomain): DmaBuf[] {
  return Array.from({ length: 1000 }, (_, n) => domain.allocate(4096 * (1 + (n % 7)), { name: `tile ${n}` }));
}
