import assert from "node:assert/strict";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { Worker, type MessagePort } from "node:worker_threads";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { Domain as FullDomain, imageFormat, rawFormat } from "./index.js";
import { Domain } from "./streams.js";
import { HEADER } from "./domain/layout.js";

const LIMIT = { timeout: 60_000 };
const ENTRY = join(import.meta.dirname, "streams.js");

/** Bytes of gzip. The goal is 22 KiB. */
const MOST = 26_000;

async function bundle(code: string): Promise<string> {
  const result = await build({
    stdin: { contents: code, resolveDir: import.meta.dirname },
    ...{ bundle: true, minify: true, write: false, format: "esm", platform: "browser", target: "es2022" },
    logLevel: "error",
  });
  return result.outputFiles[0]!.text;
}

test("the entry for streams stays small in a bundle", async (t) => {
  const code = await bundle(`import { Domain } from ${JSON.stringify(ENTRY)}; globalThis.x = Domain;`);
  const { length } = gzipSync(code, { level: 9 });
  t.diagnostic(`${length} bytes`);
  assert.ok(length <= MOST, `it has ${length} bytes`);
});

test("a bundle of that entry carries 500 frames between two workers", LIMIT, async () => {
  const code = await bundle(`import { Domain } from ${JSON.stringify(ENTRY)}; globalThis.Domain = Domain;`);
  const start = (role: string, workerData: object = {}, transferList: MessagePort[] = []): Worker =>
    new Worker(new URL(`data:text/javascript,${encodeURIComponent(`${code}\n${role}`)}`), { workerData, transferList });
  const producer = start(`
    const { parentPort } = await import("node:worker_threads");
    const domain = Domain.create();
    const planes = [{ offset: 0, stride: 640, width: 640, height: 480, bytesPerSample: 1 }];
    const stream = domain.createStream({ format: { kind: "raw", size: 640 * 480, planes } });
    const invitation = domain.invite();
    parentPort.postMessage({ invitation, handle: stream.handle() }, [invitation.port]);
    await stream.waitForConsumers(1);
    for (let i = 0; i < 500; i++) {
      const loan = await stream.loan();
      loan.bytes.fill(i);
      loan.publish({ data: { i } });
    }
    stream.end();
    setInterval(() => {}, 1000);`);
  const [sent] = (await once(producer, "message")) as [{ invitation: { port: MessagePort }; handle: object }];
  const consumer = start(
    `
    const { parentPort, workerData } = await import("node:worker_threads");
    const domain = Domain.join(workerData.invitation);
    let [right, wrong] = [0, 0];
    for await (const frame of domain.import(workerData.handle).frames()) {
      if (frame.bytes[5] === (frame.sequence & 255) && frame.data.i === frame.sequence) right++; else wrong++;
      frame[Symbol.dispose]();
    }
    parentPort.postMessage({ right, wrong });`,
    sent,
    [sent.invitation.port],
  );
  const [counted] = (await once(consumer, "message")) as unknown[];
  await Promise.all([producer.terminate(), consumer.terminate()]);
  assert.deepEqual(counted, { right: 500, wrong: 0 });
});

test("a member without a feature of the domain is refused with its name", () => {
  using full = FullDomain.create();
  assert.throws(() => Domain.join(full.invite()), { code: "EPROTO", message: /feature "exporters"/ });
});

test("a feature that is not known yet is refused by its number", () => {
  using domain = Domain.create();
  const invitation = domain.invite();
  new Int32Array(invitation.control)[HEADER.FEATURES]! |= 1 << 20;
  assert.throws(() => Domain.join(invitation), { code: "EPROTO", message: /feature "number 20"/ });
  assert.throws(() => FullDomain.join(invitation), { code: "EPROTO", message: /feature "number 20"/ });
});

test("a member with more features uses those of the domain, and is told which it has not", LIMIT, async () => {
  using domain = Domain.create({ agents: 4, buffers: 16, streams: 2 });
  using full = FullDomain.join(domain.invite());
  const lacks = (feature: string): object => ({ code: "EOPNOTSUPP", message: new RegExp(`feature "${feature}"`) });
  assert.throws(() => full.createSyncobj(), lacks("syncobjs"));
  using other = FullDomain.create();
  assert.throws(() => full.import(structuredClone({ ...other.createSyncobj().handle() })), lacks("syncobjs"));
  using buffer = full.allocate(4096);
  const ops = { map: () => [], unmap: () => {}, release: () => {} };
  const segments = [{ memory: new SharedArrayBuffer(4096), offset: 0, length: 4096 }];
  assert.throws(() => full.export(segments, { ops }), lacks("exporters"));
  assert.throws(() => buffer.attachSync(), lacks("exporters"));
  assert.throws(() => buffer.mmap(), lacks("exporters"));
  await assert.rejects(buffer.move(segments), lacks("exporters"));

  // Frames go both ways, and a fence that is on one is waited for.
  using mine = domain.createStream({ format: rawFormat(64) });
  using theirs = full.createStream({ format: imageFormat("GREY", 8, 8) });
  using taken = full.import(mine.handle()).frames();
  using received = domain.import(theirs.handle()).frames();
  (await mine.loan())!.publish({ data: 1 });
  assert.equal((await taken.next({ timeout: 10_000 }))!.data, 1);
  using timeline = full.createTimeline();
  const fence = timeline.createFence();
  using loan = (await theirs.loan())!;
  {
    using _lock = loan.buffer.reservation.lockSync();
    loan.buffer.reservation.reserveFences(1);
    loan.buffer.reservation.addFence(fence, "write");
  }
  loan.publish();
  await assert.rejects(received.next({ timeout: 20 }), { code: "ETIMEDOUT" });
  fence.signal();
  assert.equal((await received.next({ timeout: 10_000 }))!.sequence, 0);
});
