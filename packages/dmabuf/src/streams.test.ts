import assert from "node:assert/strict";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { createContext, runInContext } from "node:vm";
import { Worker, type MessagePort } from "node:worker_threads";
import { Domain as FullDomain, imageFormat, rawFormat, type Fence } from "./index.js";
import { Domain, type PlainFenceHandle } from "./streams.js";
import type { DmaBufError } from "./errors.js";
import { checkSizes, HEADER, Layout } from "./domain/layout.js";
import { ANY_WORDS } from "./domain/segment-protocol.js";
import { STREAM_WORDS } from "./domain/stream-words.js";
import { STREAMS_ATOMIC } from "./protocol/streams-binary.js";
import { bufferOf, type AtomicWords } from "./substrate/atomic-words.js";
import { createSharedSubstrate } from "./substrate/shared-array.js";
import { createWasmMemory } from "./substrate/wasm-memory.js";
import { bundle, MOST, zipped } from "../test/bundle-size.js";

const LIMIT = { timeout: 60_000 };
const ENTRY = join(import.meta.dirname, "streams.js");

/** The bundle of a page that imports the `Domain` of the entry. */
function pageOf(code: string): Promise<string> {
  return bundle(`import { Domain } from ${JSON.stringify(ENTRY)}; ${code}`, import.meta.dirname);
}

test("the entry for streams stays small in a bundle", async (t) => {
  const code = await pageOf("globalThis.x = Domain;");
  const length = zipped(code);
  t.diagnostic(`${length} bytes`);
  assert.ok(length <= MOST.streams, `it has ${length} bytes`);
});

test("the bundle calls no function of the protocols that its build has not", async () => {
  const code = await pageOf("globalThis.x = Domain;");
  const { layout, memory } = wordsOf({ agents: 2 });
  const called = (name: string): boolean => new RegExp(`\\.${name}\\(`).test(code.replace(STREAMS_ATOMIC, ""));
  const all = Object.keys(ANY_WORDS.open(memory, layout).protocol);
  const there = Object.keys(STREAM_WORDS.open(memory, layout).protocol);
  assert.ok(called("takeShared") && there.length < all.length);
  const names = all.filter((name) => !there.includes(name) && called(name));
  assert.deepEqual(names, []);
});

function wordsOf(sizes: object): { readonly layout: Layout; readonly memory: AtomicWords } {
  const layout = new Layout(checkSizes(sizes));
  return { layout, memory: createSharedSubstrate(createWasmMemory(layout.words * 4)!) };
}

test("where WebAssembly may not be compiled, the entry says what to allow, and what does without", async () => {
  const code = await pageOf("globalThis.create = () => Domain.create();");
  const refused = (forbidden: object, message: RegExp): void => {
    const surroundings = { SharedArrayBuffer, setTimeout, navigator: {}, performance, MessageChannel, ...forbidden };
    const context = createContext(surroundings, { codeGeneration: { wasm: false, strings: true } });
    runInContext(code.replaceAll("import.meta.url", "undefined"), context);
    const create = (): void => void runInContext("create()", context);
    assert.throws(create, (error: DmaBufError) => error.code === "EOPNOTSUPP" && message.test(error.message));
  };
  refused({}, /may not be compiled here \(allow it by 'wasm-unsafe-eval' .* Domain of "dmabuf" does without/);
  refused({ WebAssembly: undefined }, /no shared WebAssembly.Memory .* Domain of "dmabuf" does without/);
});

test("a domain whose words are no memory of WebAssembly's is refused", () => {
  const { layout } = wordsOf({ agents: 2 });
  const memory = createSharedSubstrate(new SharedArrayBuffer(layout.words * 4));
  assert.throws(() => STREAM_WORDS.open(memory, layout), { code: "EOPNOTSUPP", message: /Domain of "dmabuf"/ });
});

test("a bundle of that entry carries 500 frames between two workers", LIMIT, async () => {
  const code = await pageOf("globalThis.Domain = Domain;");
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
  new Int32Array(bufferOf(invitation.control))[HEADER.FEATURES]! |= 1 << 20;
  assert.throws(() => Domain.join(invitation), { code: "EPROTO", message: /feature "number 20"/ });
  assert.throws(() => FullDomain.join(invitation), { code: "EPROTO", message: /feature "number 20"/ });
});

test("a member with more features uses those of the domain, and is told which it has not", LIMIT, async () => {
  using domain = Domain.create({ agents: 4, buffers: 16, streams: 2 });
  using full = FullDomain.join(domain.invite());
  const lacks = (feature: string): object => ({ code: "EOPNOTSUPP", message: new RegExp(`feature "${feature}"`) });
  assert.throws(() => full.createSyncobj(), lacks("syncobjs"));
  assert.throws(() => full.createUserFence(), lacks("user-fences"));
  using other = FullDomain.create();
  assert.throws(() => full.import(structuredClone({ ...other.createSyncobj().handle() })), lacks("syncobjs"));
  assert.throws(() => full.import(structuredClone({ ...other.createUserFence().handle() })), lacks("user-fences"));
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

/** As it arrives in another thread, where its type is not known. */
function plainHandle(fence: Fence): PlainFenceHandle {
  return structuredClone(fence.handle()) as PlainFenceHandle;
}

test("a fence that is sent is read and waited for", LIMIT, async () => {
  using domain = Domain.create({ agents: 4 });
  using full = FullDomain.join(domain.invite());
  using timeline = full.createTimeline({ name: "gpu", driverName: "test" });
  const [good, bad] = [timeline.createFence(), timeline.createFence()];
  const fence = domain.import(plainHandle(good));
  assert.deepEqual([fence.context, fence.seqno], [good.context, 1]);
  assert.deepEqual([fence.driverName, fence.timelineName], ["test", "gpu"]);
  assert.deepEqual([fence.status, fence.isSignaled(), fence.error], [0, false, undefined]);
  assert.equal(await fence.wait({ timeout: 5 }), "timed-out");
  assert.equal(fence.waitSync({ timeout: 5 }), "timed-out");
  await assert.rejects(fence.result({ timeout: 5 }), { code: "ETIMEDOUT" });
  assert.throws(() => fence.resultSync({ timeout: 5 }), { code: "ETIMEDOUT" });
  await assert.rejects(fence.wait({ signal: AbortSignal.timeout(5) }), { name: "TimeoutError" });

  const failed = domain.import(plainHandle(bad));
  setTimeout(() => {
    good.signal();
    bad.setError("EIO");
    bad.signal();
  }, 5);
  assert.equal(await fence.wait(), "signaled");
  await fence.result();
  assert.equal(fence.status, 1);
  assert.equal(await failed.wait(), "signaled");
  await assert.rejects(failed.result(), { code: "EIO", message: /Fence \d+:2 of test gpu failed/ });
  assert.equal(failed.status, -5);
  timeline.close();
  assert.deepEqual([fence.waitSync(), failed.error?.code], ["signaled", "EIO"]);

  // Promises are one-shots, which are ended too when their time limit has passed.
  const promised = domain.import(plainHandle(full.fenceFrom(new Promise(() => {}), { timeLimit: 20 })));
  assert.equal(promised.waitSync(), "signaled");
  assert.equal(promised.error?.code, "ETIMEDOUT");
});

test("a wait for a fence ends when its domain is left", LIMIT, async () => {
  using domain = Domain.create({ agents: 4 });
  using full = FullDomain.join(domain.invite());
  using timeline = full.createTimeline();
  const waiting = domain.import(plainHandle(timeline.createFence())).wait();
  domain.close();
  await assert.rejects(waiting, { code: "ECANCELED" });
});

test("a handle that is not to a plain fence of the domain is refused", () => {
  using domain = Domain.create({ agents: 4 });
  using full = FullDomain.join(domain.invite());
  using timeline = full.createTimeline();
  const fences = [timeline.createFence(), timeline.createFence()];
  assert.throws(() => domain.import(plainHandle(full.createFenceArray(fences))), { code: "EOPNOTSUPP" });
  assert.throws(() => domain.import({ ...plainHandle(fences[0]!), slot: 1e9 }), { code: "EINVAL" });
  assert.throws(() => domain.import({ kind: "fence" } as PlainFenceHandle), { code: "EINVAL" });
  using other = FullDomain.create();
  using foreign = other.createTimeline();
  assert.throws(() => domain.import(plainHandle(foreign.createFence())), {
    code: "EINVAL",
    message: /belongs to domain/,
  });
});
