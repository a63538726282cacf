import { fork, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Hosts } from "dmabuf/hosts";
import { ProcessDomain } from "dmabuf/node";

// node thumbnails.js [--video FILE] [--nats | --server URL]: with --nats it starts a server itself.
const { values } = parseArgs({
  options: {
    video: { type: "string" },
    nats: { type: "boolean" },
    server: { type: "string", default: "nats://127.0.0.1:4222" },
    worker: { type: "string" },
  },
});
const [FRAMES, WIDTH, HEIGHT, BOX] = [60, 640, 360, 4];
const PICTURE = WIDTH * HEIGHT * 3;
const THUMBNAIL = PICTURE / BOX ** 2;
if (values.worker === undefined) await makeThumbnails();
else await work(values.worker);

/** A process on each host that works. Mostly they are machines of their own, with other addresses. */
async function work(name: string): Promise<void> {
  const domain = ProcessDomain.create();
  const hosts = await Hosts.join(domain, { name, bind: "127.0.0.1", servers: [values.server], hostLimit: 3_000 });
  hosts.work("thumbnails", { slots: 2 }, async ({ reads: [picture], writes: [thumbnail], data, delivery }) => {
    if (picture === undefined || thumbnail === undefined) throw new RangeError("two buffers are needed");
    process.send?.({ frame: data, delivery });
    using from = await picture.access("read");
    using to = await thumbnail.access("write");
    scale(from.bytes, to.bytes);
  });
  process.once("disconnect", () => void hosts.close().then(() => domain.close()));
  process.send?.({});
}

async function makeThumbnails(): Promise<void> {
  const pictures = values.video === undefined ? pattern() : decode(values.video);
  await using started = values.nats === true ? await startServer() : undefined;
  const url = started?.url ?? values.server;
  using domain = ProcessDomain.create();
  await using hosts = await Hosts.join(domain, { bind: "127.0.0.1", servers: [url], hostLimit: 3_000 });
  await using queue = hosts.createQueue({ name: "thumbnails", limit: 60_000 });
  using one = await startWorker("one", url);
  using two = await startWorker("two", url);
  // In the middle: it has begun others.
  one.process.on("message", () => one.begun.length === FRAMES / 12 && one.process.kill("SIGKILL"));

  const jobs = pictures.map(async (picture, frame) => {
    using source = domain.allocate(PICTURE);
    {
      using access = await source.access("write");
      access.bytes.set(picture);
    }
    const thumbnail = domain.allocate(THUMBNAIL);
    const finished = await queue.submit({ reads: [source], writes: [thumbnail], data: frame });
    await finished.result();
    return { thumbnail, version: thumbnail.contentVersion };
  });
  const thumbnails = await Promise.all(jobs);

  for (const { name, begun, process } of [one, two]) {
    const again = begun.filter(({ delivery }) => delivery > 1).map(({ frame }) => frame);
    const end = process.killed ? "and was killed" : `of them ${again.length} that another had begun`;
    console.log(`host ${name} has begun ${begun.length} frames, ${end}`);
  }
  const expected = new Uint8Array(THUMBNAIL);
  let right = 0;
  for (const [frame, { thumbnail }] of thumbnails.entries()) {
    scale(pictures[frame] ?? new Uint8Array(), expected);
    using access = await thumbnail.access("read");
    if (Buffer.compare(access.bytes.subarray(0, THUMBNAIL), expected) === 0) right++;
  }
  const written = new Set(thumbnails.map(({ thumbnail, version }) => `${version} ${thumbnail.contentVersion}`));
  console.log(`${right} of ${FRAMES} thumbnails are right, each was written once: ${written.size === 1}`);
}

/** Each byte is the mean of a box of them. A buffer is whole pages, and ends after its picture. */
function scale(from: Uint8Array, to: Uint8Array): void {
  for (let i = 0; i < THUMBNAIL; i++) {
    const [x, y, color] = [Math.floor(i / 3) % (WIDTH / BOX), Math.floor((i * BOX) / 3 / WIDTH), i % 3];
    let sum = 0;
    for (let j = 0; j < BOX ** 2; j++) {
      sum += from[((y * BOX + Math.floor(j / BOX)) * WIDTH + x * BOX + (j % BOX)) * 3 + color] ?? 0;
    }
    to[i] = sum / BOX ** 2;
  }
}

/** The first frames of a video, as ffmpeg decodes them. */
function decode(file: string): Uint8Array[] {
  const raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", `${WIDTH}x${HEIGHT}`, "-frames:v", `${FRAMES}`];
  const { stdout, stderr } = spawnSync("ffmpeg", ["-v", "error", "-i", file, ...raw, "-"], {
    maxBuffer: FRAMES * PICTURE,
  });
  if (stdout.length !== FRAMES * PICTURE) throw new Error(`${file} has no ${FRAMES} frames: ${stderr.toString()}`);
  return Array.from({ length: FRAMES }, (_, frame) => stdout.subarray(frame * PICTURE, (frame + 1) * PICTURE));
}

function pattern(): Uint8Array[] {
  return Array.from({ length: FRAMES }, (_, frame) => Uint8Array.from({ length: PICTURE }, (_, i) => i * 7 + frame));
}

async function startWorker(name: string, server: string) {
  const child = fork(fileURLToPath(import.meta.url), ["--worker", name, "--server", server]);
  const begun: { readonly frame: number; readonly delivery: number }[] = [];
  await once(child, "message");
  child.on("message", (job: { readonly frame: number; readonly delivery: number }) => begun.push(job));
  return { name, process: child, begun, [Symbol.dispose]: () => child.connected && child.disconnect() };
}

/** A server of NATS with jobs, in its memory, at a free port. */
async function startServer() {
  const child = spawn("nats-server", ["-a", "127.0.0.1", "-p", "-1", "-js"], { stdio: ["ignore", "ignore", "pipe"] });
  process.once("exit", () => child.kill());
  let url = "";
  const lines = createInterface(child.stderr);
  await new Promise<void>((resolve, reject) => {
    child.once("error", reject);
    lines.on("line", (line) => {
      const [, address] = /client connections on ([\d.:]+)/.exec(line) ?? [];
      if (address !== undefined) url = `nats://${address}`;
      if (line.includes("Server is ready")) resolve();
    });
  });
  const stop = async () => {
    child.kill();
    await once(child, "exit");
  };
  return { url, [Symbol.asyncDispose]: stop };
}
