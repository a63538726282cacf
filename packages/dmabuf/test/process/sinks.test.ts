/** Frames of another thread or process that produces as fast as it can, through the sinks of this one. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { test, type TestContext } from "node:test";
import { Worker } from "node:worker_threads";
import { copiedBytes, Domain, imageFormat, rawFormat, type StreamHandle } from "../../src/index.js";
import { ProcessDomain, readableFrom, StreamViewer, writableFrom } from "../../src/node/index.js";
import { readableStreamFrom, writableStreamFrom } from "../../src/web/index.js";
import type { SinkWork, ThreadWork } from "./sink-producer.js";

const LIMITED = { timeout: 60_000 };
const PRODUCER = new URL("sink-producer.js", import.meta.url);

function processDomain(t: TestContext): ProcessDomain {
  const domain = ProcessDomain.create();
  t.after(() => domain.close());
  return domain;
}

/** The end of a child is the end of its producing. */
function producer(t: TestContext, domain: ProcessDomain, work: SinkWork): void {
  const child = domain.fork(PRODUCER, [JSON.stringify(work)]);
  t.after(() => child.kill("SIGKILL"));
}

function wrongFrames(got: Uint8Array, { size, frames }: SinkWork): number[] {
  assert.equal(got.length, size * frames);
  const all = Array.from({ length: frames }, (_, n) => n);
  return all.filter((n) => got.subarray(n * size, (n + 1) * size).some((byte) => byte !== n % 251));
}

test("1,000 frames of a worker by two buffers are in a file, each byte right and none copied", LIMITED, async (t) => {
  using domain = Domain.create();
  const work: SinkWork = { name: "frames", size: 5000, frames: 1000 };
  const invitation = domain.invite();
  const workerData: ThreadWork = { ...work, invitation };
  const worker = new Worker(PRODUCER, { workerData, transferList: [invitation.port] });
  const [handle] = (await once(worker, "message")) as [StreamHandle];
  const folder = mkdtempSync(join(tmpdir(), "dmabuf-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const before = copiedBytes();
  await pipeline(readableFrom(domain.import(handle).frames()), createWriteStream(join(folder, "frames")));
  assert.deepEqual(wrongFrames(readFileSync(join(folder, "frames")), work), []);
  assert.equal(copiedBytes(), before);
  worker.postMessage("done");
  await once(worker, "exit");
});

test(
  "1,000 frames of a process by two buffers go through a child's pipes into frames, none copied on the way out",
  LIMITED,
  async (t) => {
    const domain = processDomain(t);
    const work: SinkWork = { name: "frames", size: 5000, frames: 1000 };
    const back = domain.createStream({ format: rawFormat(7000), buffers: 2 });
    const consumer = back.frames();
    const cat = spawn("cat", { stdio: ["pipe", "pipe", "inherit"] });
    producer(t, domain, work);
    const before = copiedBytes();
    const out = pipeline(readableFrom(domain.follow("frames")), cat.stdin);
    const into = pipeline(cat.stdout, writableFrom(back));
    const got: Uint8Array[] = [];
    for await (using frame of consumer) got.push(Uint8Array.from(frame.bytes));
    await Promise.all([out, into]);
    assert.deepEqual(wrongFrames(Buffer.concat(got), work), []);
    assert.equal(copiedBytes() - before, 5_000_000, "into the frames of the other stream");
  },
);

test("frames of a process are the body of a response of fetch(), and of a request", LIMITED, async (t) => {
  const domain = processDomain(t);
  const received = domain.createStream({ name: "received", format: rawFormat(5000), buffers: 2 });
  const consumer = received.frames();
  const server: Server = createServer((request, response) => {
    if (request.method === "GET") void pipeline(readableFrom(domain.follow("shown")), response);
    else
      pipeline(request, writableFrom(received)).then(
        () => response.end(),
        (error: Error) => response.destroy(error),
      );
  }).listen(0, "127.0.0.1");
  t.after(() => server.close());
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const shown: SinkWork = { name: "shown", size: 4000, frames: 300 };
  producer(t, domain, shown);
  const response = await fetch(url);
  const fetched = domain.createStream({ name: "fetched", format: rawFormat(4096), buffers: 2 });
  const frames = fetched.frames();
  const piped = response.body!.pipeTo(writableStreamFrom(fetched));
  const got: Uint8Array[] = [];
  for await (using frame of frames) got.push(Uint8Array.from(frame.bytes));
  await piped;
  assert.deepEqual(wrongFrames(Buffer.concat(got), shown), []);

  const sent: SinkWork = { name: "sent", size: 3000, frames: 300 };
  producer(t, domain, sent);
  const body = readableStreamFrom(domain.follow("sent"));
  const posted = fetch(url, { method: "POST", body, duplex: "half" });
  got.length = 0;
  for await (using frame of consumer) got.push(Uint8Array.from(frame.bytes));
  assert.equal((await posted).status, 200);
  assert.deepEqual(wrongFrames(Buffer.concat(got), sent), []);
});

test("a viewer's frames go to a sink in place, and the server is told when each was taken", LIMITED, async (t) => {
  const domain = processDomain(t);
  const stream = domain.createStream({ format: rawFormat(5000), buffers: 2 });
  const place = `@dmabuf sinks ${process.pid}`;
  domain.serveViewers(place, stream, { policy: "block" });
  const viewer = await StreamViewer.connect(place);
  const cat = spawn("cat", { stdio: ["pipe", "pipe", "inherit"] });
  const got: Buffer[] = [];
  cat.stdout.on("data", (chunk: Buffer) => got.push(chunk));
  const before = copiedBytes();
  const piped = pipeline(readableFrom(viewer), cat.stdin);
  for (let n = 0; n < 100; n++) {
    using loan = await stream.loan();
    loan!.bytes.fill(n % 251);
    loan!.publish();
  }
  stream.end();
  await piped;
  await once(cat, "close");
  assert.deepEqual(wrongFrames(Buffer.concat(got), { name: "", size: 5000, frames: 100 }), []);
  assert.equal(copiedBytes(), before);
});

const hasFfmpeg = spawnSync("ffmpeg", ["-version"], { stdio: "ignore" }).status === 0;

test(
  "frames go through ffmpeg, and come back as frames",
  { ...LIMITED, skip: hasFfmpeg ? false : "no ffmpeg" },
  async (t) => {
    const domain = processDomain(t);
    const [width, height, count] = [64, 48, 50];
    const format = imageFormat("GREY", width, height);
    const sent = domain.createStream({ name: "sent", format, buffers: 2 });
    const received = domain.createStream({ name: "received", format, buffers: 2 });
    const consumer = received.frames();
    const raw = ["-f", "rawvideo", "-pix_fmt", "gray", "-s", `${width}x${height}`];
    const ffmpeg = spawn("ffmpeg", ["-loglevel", "error", ...raw, "-i", "-", "-vf", "negate", ...raw, "-"], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    t.after(() => ffmpeg.kill("SIGKILL"));
    const both = Promise.all([
      pipeline(readableFrom(sent.frames()), ffmpeg.stdin),
      pipeline(ffmpeg.stdout, writableFrom(received)),
      (async () => {
        for (let n = 0; n < count; n++) {
          using loan = await sent.loan();
          loan!.bytes.fill(n);
          loan!.publish();
        }
        sent.end();
      })(),
    ]);
    const got: number[] = [];
    for await (using frame of consumer) {
      assert.ok(frame.bytes.every((byte) => byte === frame.bytes[0]));
      got.push(255 - frame.bytes[0]!);
    }
    await both;
    assert.deepEqual(
      got,
      Array.from({ length: count }, (_, n) => n),
    );
  },
);

test(
  "a producer that is killed in the middle fails the pipeline, and the sink has whole frames",
  LIMITED,
  async (t) => {
    const domain = processDomain(t);
    const work: SinkWork = { name: "frames", size: 5000, frames: 1e9 };
    const child = domain.fork(PRODUCER, [JSON.stringify(work)]);
    const cat = spawn("cat", { stdio: ["pipe", "pipe", "inherit"] });
    const stream = await domain.findStream("frames");
    const got: Buffer[] = [];
    cat.stdout.on("data", (chunk: Buffer) => {
      got.push(chunk);
      if (got.length === 20) child.kill("SIGKILL");
    });
    await assert.rejects(pipeline(readableFrom(stream.frames()), cat.stdin), { code: "ESRCH" });
    await once(cat, "close");
    const bytes = Buffer.concat(got);
    assert.ok(bytes.length > 0);
    assert.deepEqual(wrongFrames(bytes, { ...work, frames: bytes.length / 5000 }), []);
  },
);
