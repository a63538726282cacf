import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { randomUUID } from "node:crypto";
import { getuid } from "node:process";
import { connect, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { imageFormat, rawFormat, type FrameStream, type Picture } from "../../src/index.js";
import { codeOf } from "../../src/errors.js";
import { endOf } from "../../src/stream/frame-stream.js";
import { metadataOffset } from "../../src/stream/metadata.js";
import { ProcessDomain, StreamViewer, type ServeViewersOptions } from "../../src/node/index.js";
import { isPending, until } from "../agents.js";
import type { ViewerReport } from "./viewer-peer.js";
import { Holder, listen, WorkerHolder } from "../process/holder-process.js";

const LIMITED = { timeout: 30_000 };
const NOBODY = 65534;
const OTHER_USER = { ...LIMITED, skip: getuid?.() === 0 ? false : "only root can start a process of another user" };

interface Shown {
  readonly domain: ProcessDomain;
  readonly place: string;
  readonly stream: FrameStream;
}

function show(t: TestContext, options: ServeViewersOptions & { readonly sealed?: boolean } = {}): Shown {
  const domain = ProcessDomain.create({ agents: 4 });
  t.after(() => domain.close());
  const { sealed = false, ...others } = options;
  const stream = domain.createStream({ name: "shown", format: rawFormat(1000), buffers: 3, sealed });
  const place = `@dmabuf test ${randomUUID()}`;
  domain.serveViewers(place, stream, others);
  return { domain, place, stream };
}

/** A process that takes so many frames, and reports. */
async function visit({ place }: Shown, frames: number, uid?: number): Promise<ViewerReport> {
  const script = fileURLToPath(new URL("viewer-peer.js", import.meta.url));
  const child = fork(script, [place, String(frames)], uid === undefined ? {} : { uid, gid: uid });
  const [report] = (await once(child, "message")) as [ViewerReport];
  return report;
}

/** Every fourth frame has the full length. */
function lengthOf(frame: number): number {
  return 1000 - (frame % 4);
}

/** Publishes until the viewer has seen enough. */
async function produce({ stream }: Shown, until: Promise<unknown>): Promise<void> {
  let done = false;
  void until.finally(() => (done = true));
  for (let i = 0; !done; i++) {
    const loan = (await stream.loan())!;
    new DataView(loan.bytes.buffer, loan.bytes.byteOffset).setUint32(0, i);
    loan.publish({ length: lengthOf(i) });
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

test("a viewer sees the frames in order, and has no memory but theirs, to read", LIMITED, async (t) => {
  const shown = show(t);
  const report = visit(shown, 10);
  await produce(shown, report);
  const { seen, lengths, memory, failed } = await report;
  assert.equal(failed, undefined);
  assert.equal(seen.length, 10);
  assert.deepEqual(
    seen,
    [...seen].sort((a, b) => a - b),
  );
  assert.deepEqual(lengths, seen.map(lengthOf));
  assert.deepEqual(memory, Array(3).fill("/memfd:dmabuf shown (deleted) read"));
});

test("a viewer of the same user cannot get at sealed memory to write, and can at other memory", LIMITED, async (t) => {
  for (const [sealed, outcome] of [
    [true, "EPERM"],
    [false, "written"],
  ] as const) {
    const shown = show(t, { sealed });
    const report = visit(shown, 1);
    await produce(shown, report);
    assert.equal((await report).attack, outcome);
  }
});

test("a viewer of another user cannot get at the memory to write", OTHER_USER, async (t) => {
  const shown = show(t, { users: [NOBODY] });
  const report = visit(shown, 1, NOBODY);
  await produce(shown, report);
  const { attack, failed } = await report;
  assert.equal(failed, undefined);
  assert.equal(attack, "EACCES");
});

test("a user who is not named may not look", OTHER_USER, async (t) => {
  const warned = t.mock.method(process, "emitWarning", () => {});
  assert.equal((await visit(show(t), 1, NOBODY)).failed, "EACCES");
  assert.equal(warned.mock.callCount(), 1);
});

// acceptor.2, viewer-server.2, viewer-server.3
test("a viewer that gives nothing back, or says what it should not, holds up no other", LIMITED, async (t) => {
  const shown = show(t);
  const folder = mkdtempSync(join(tmpdir(), "dmabuf-"));
  t.after(() => rmSync(folder, { recursive: true }));
  // Node.js 20 connects to no abstract name.
  const place = join(folder, "shown");
  const server = shown.domain.serveViewers(place, shown.stream);
  const told = ["", "", "", ""];
  const viewers = ["", "no JSON\n", '{"done":true}\n', "x".repeat(100_000)].map((words, at) => {
    const viewer = connect(place);
    t.after(() => viewer.destroy());
    // Its end comes behind what it is told.
    viewer.on("error", () => {}).on("data", (bytes: Buffer) => (told[at] += bytes.toString()));
    viewer.write('{"visitor":1,"as":"viewer"}\n');
    viewer.write(words);
    return viewer;
  });
  // All four were let in.
  await until(() => told.every((words) => words.startsWith('{"visitor":1,')));
  const isGone = (viewer: Socket): boolean => viewer.destroyed || viewer.readableEnded;
  await until(() => viewers.slice(1).every(isGone) && server.viewers === 1);
  // The first one has a frame, and keeps it.
  using honest = await StreamViewer.connect(shown.place);
  await produce(
    shown,
    (async () => {
      for (let i = 0; i < 10; i++) (await honest.next())![Symbol.dispose]();
    })(),
  );
  assert.match(told[0]!, /"place":\d+\}\n$/);
  assert.equal(isGone(viewers[0]!), false);
});

for (const how of ["SIGKILL", "process.exit()", "terminate()"] as const) {
  test(`a viewer that ends by ${how} while it looks at a frame gives it back (viewer-server.1)`, LIMITED, async (t) => {
    const { domain, place } = listen(t);
    const [stream, hall] = [domain.createStream({ format: rawFormat(1000), buffers: 1 }), `${place} of the show`];
    const shown = domain.serveViewers(hall, stream, { policy: "block" });
    // The first viewer has this process open what it keeps for the others.
    (await StreamViewer.connect(hall)).close();
    await until(() => shown.viewers === 0 && stream.consumers === 0);
    const before = remains();
    const inWorker = how === "terminate()";
    const viewer = inWorker ? await WorkerHolder.start(t, domain) : await Holder.start(t, place);
    const looking = viewer.ask({ order: "visit", place: hall });
    await stream.waitForConsumers(1, { timeout: 10_000 });
    (await stream.loan())!.publish();
    assert.equal(await looking, 0);
    assert.equal(await stream.loan({ timeout: 20 }).catch(codeOf), "ETIMEDOUT");
    if (inWorker) void (viewer as WorkerHolder).worker.terminate();
    else if (how === "SIGKILL") (viewer as Holder).child.kill(how);
    else viewer.tell({ order: "end", how });
    assert.ok(await stream.loan({ timeout: 10_000 }));
    await until(() => shown.viewers === 0 && stream.consumers === 0);
    await until(() => remains().descriptors <= before.descriptors && remains().mappings <= before.mappings);
  });
}

test("viewers of a group share the work, and another one gets the frame of one that is killed", LIMITED, async (t) => {
  const { domain, place } = listen(t);
  const [stream, hall] = [domain.createStream({ format: rawFormat(1000), buffers: 2 }), `${place} of the show`];
  domain.serveViewers(hall, stream, { policy: "block", group: "viewers" });
  const killed = await Holder.start(t, place);
  const looking = killed.ask({ order: "visit", place: hall });
  await stream.waitForConsumers(1, { timeout: 10_000 });
  (await stream.loan())!.publish();
  assert.equal(await looking, 0);
  using viewer = await StreamViewer.connect(hall);
  (await stream.loan())!.publish();
  {
    using frame = (await viewer.next())!;
    assert.equal(frame.sequence, 1);
  }
  stream.end();
  const next = viewer.next();
  assert.equal(await isPending(next), true);
  killed.child.kill("SIGKILL");
  {
    using frame = (await next)!;
    assert.equal(frame.sequence, 0);
  }
  assert.equal(await viewer.next(), undefined);
});

test("several calls of next() each get a frame, and what waits is told of the viewer's close", LIMITED, async (t) => {
  const shown = show(t);
  const viewer = await StreamViewer.connect(shown.place);
  t.after(() => viewer.close());
  const waits = [viewer.next(), viewer.next(), viewer.next()];
  for (const wait of waits.slice(0, 2)) {
    (await shown.stream.loan())!.publish();
    const frame = await wait;
    assert.notEqual(frame, undefined);
    frame![Symbol.dispose]();
  }
  viewer.close();
  assert.equal(await waits[2], undefined);
});

test("a viewer has the picture of each frame", LIMITED, async (t) => {
  const { domain, place } = listen(t);
  const [stream, hall] = [domain.createStream({ format: imageFormat("NV12", 64, 48) }), `${place} of the show`];
  domain.serveViewers(hall, stream, { policy: "block" });
  using viewer = await StreamViewer.connect(hall);
  const picture: Picture = { rotation: 90, colorSpace: { matrix: "bt709", fullRange: null } };
  for (const options of [{ picture }, {}]) {
    (await stream.loan())!.publish(options);
    using frame = (await viewer.next())!;
    assert.deepEqual(frame.picture, options.picture);
  }
});

test("a viewer is told of a frame whose length is damaged, and its next one comes", LIMITED, async (t) => {
  const shown = show(t, { policy: "block" });
  const viewer = await StreamViewer.connect<{ note: string }>(shown.place);
  t.after(() => viewer.close());
  const loan = (await shown.stream.loan())!;
  const { memory, offset } = loan.buffer.segments[0]!;
  loan.publish({ length: 1 });
  // Its server has read it.
  await until(() => endOf(shown.stream).buffers.some(({ holds }) => holds.anyReader()));
  new DataView(memory, offset + metadataOffset(1000)).setFloat64(32, 1001, true);
  await assert.rejects(viewer.next(), { code: "EPROTO", message: /its length is damaged/ });
  (await shown.stream.loan())!.publish({ length: 2, data: { note: "short" } });
  using frame = (await viewer.next())!;
  const note: string | undefined = frame.data?.note;
  assert.equal(note, "short");
  assert.deepEqual([frame.sequence, frame.length, frame.copy().length], [1, 2, 2]);
});

test("a viewer whose server is closed keeps its frame, and its next one is ECONNRESET", LIMITED, async (t) => {
  const shown = show(t);
  const closing = shown.domain.serveViewers(`${shown.place} too`, shown.stream);
  const viewer = await StreamViewer.connect(`${shown.place} too`);
  t.after(() => viewer.close());
  const loan = (await shown.stream.loan())!;
  loan.bytes[0] = 7;
  loan.publish();
  const frame = (await viewer.next())!;
  closing.close();
  await assert.rejects(viewer.next(), { code: "ECONNRESET" });
  assert.equal(frame.bytes[0], 7);
  frame[Symbol.dispose]();
  await until(() => shown.stream.consumers === 0);
});

/** What this process has open, and what it maps of memory files. */
function remains(): { readonly descriptors: number; readonly mappings: number } {
  const maps = readFileSync("/proc/self/maps", "utf8").split("\n");
  const mappings = maps.filter((line) => line.includes("memfd:dmabuf")).length;
  return { descriptors: readdirSync("/proc/self/fd").length, mappings };
}
