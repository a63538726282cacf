/** Streams by their names, whose producers die: the loops of their consumers go on with the next one's. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { rawFormat, type Frame } from "../../src/index.js";
import { ProcessDomain, type Follower } from "../../src/node/index.js";
import { pause, until } from "../agents.js";
import { checkPattern } from "../pattern.js";
import { Holder, listen } from "./holder-process.js";

const LIMITED = { timeout: 60_000 };
/** Milliseconds; longer than everything by which an agent that is dead would be noticed. */
const LONG = 1_500;
const SOON = { timeout: 10_000 };

/** The version that a frame's bytes are of, all of them. */
function versionOf({ bytes, data }: Frame<number>): number | undefined {
  const version = checkPattern(
    bytes,
    () => {},
    () => false,
  );
  assert.equal(version, data);
  return version;
}

async function take(follower: Follower<number>): Promise<number | undefined> {
  const frame = await follower.next(SOON);
  if (frame === undefined) return undefined;
  using taken = frame;
  return versionOf(taken);
}

/** Memory files of the library's that this process has open or mapped. */
function memoryFiles(): number {
  const open = readdirSync("/proc/self/fd").length;
  return open + readFileSync("/proc/self/maps", "utf8").split("/memfd:dmabuf").length - 1;
}

// follower.1
test("a loop goes on with the next producer, after what the dead one had published", LIMITED, async (t) => {
  const { domain, place } = listen(t);
  const first = await Holder.start(t, place);
  await first.ask({ order: "publish", name: "camera", versions: [1, 2, 3] });
  const seen: (readonly [version: number | undefined, sequence: number, takeovers: number])[] = [];
  const follower = domain.follow<number>("camera");
  const loop = (async () => {
    for await (using frame of follower) {
      seen.push([versionOf(frame), frame.sequence, follower.takeovers]);
      if (seen.length > 1) continue;
      // Two of its frames have not been taken, and one is half written.
      await first.kill();
      const second = await Holder.start(t, place);
      void (async () => {
        await second.ask({ order: "publish", name: "camera", versions: [11, 12] });
        await second.ask({ order: "wait for a consumer" });
        await second.ask({ order: "publish", name: "camera", versions: [13] });
        await second.ask({ order: "end stream" });
      })();
    }
  })();
  await loop;
  assert.deepEqual(seen, [
    [1, 0, 0],
    [2, 1, 0],
    [3, 2, 0],
    [11, 0, 1],
    [12, 1, 1],
    [13, 2, 1],
  ]);
  assert.equal(follower.missed, 0);
  await assert.rejects(follower.next(), { code: "EBADF" });
});

test("a thread that blocks finds a stream, and goes on with the next producer", LIMITED, async (t) => {
  const { domain, place } = listen(t);
  assert.throws(() => domain.findStreamSync("camera", { timeout: 20 }), { code: "ETIMEDOUT" });
  using follower = domain.follow<number>("camera", { findTimeout: 20 });
  assert.throws(() => follower.nextSync({ timeout: 10_000 }), { code: "ETIMEDOUT", message: /no stream "camera"/ });
  using patient = domain.follow<number>("camera", { findTimeout: 20_000 });
  assert.throws(() => patient.nextSync({ timeout: 20 }), { code: "ETIMEDOUT", message: /had no frame in 20 ms/ });
  const holders = await Promise.all([Holder.start(t, place), Holder.start(t, place)]);
  const seen: (number | undefined)[] = [];
  for (const [i, holder] of holders.entries()) {
    const published = holder.ask({ order: "publish", name: "camera", versions: [i, i + 10] });
    if (i === 0) domain.findStreamSync("camera", SOON).close();
    for (let frames = 0; frames < 2; frames++) {
      using frame = patient.nextSync(SOON)!;
      seen.push(versionOf(frame));
    }
    await published;
    if (i === 0) await holder.kill();
    else await holder.ask({ order: "end stream" });
  }
  assert.deepEqual([...seen, patient.nextSync(SOON), patient.takeovers], [0, 10, 1, 11, undefined, 1]);
});

// follower.4
test("a frame of a dead producer stays while it is held, and its stream's memory goes with it", LIMITED, async (t) => {
  const { domain, place } = listen(t);
  const [first, second] = await Promise.all([Holder.start(t, place), Holder.start(t, place)]);
  const before = memoryFiles();
  await first.ask({ order: "publish", name: "camera", versions: [1, 2] });
  using follower = domain.follow<number>("camera");
  const held = [await follower.next(SOON), await follower.next(SOON)] as [Frame<number>, Frame<number>];
  await first.kill();
  await second.ask({ order: "publish", name: "camera", versions: [11], bytes: 16_384 });
  using other = await follower.next(SOON);
  // The next one's frames need not be of the same format.
  assert.equal(other!.format.size, 16_384);
  assert.equal(versionOf(other!), 11);
  assert.deepEqual(held.map(versionOf), [1, 2]);
  held[0][Symbol.dispose]();
  assert.equal(domain.statistics().length, 8);
  held[1][Symbol.dispose]();
  assert.equal(domain.statistics().length, 4);
  await second.kill();
  other![Symbol.dispose]();
  follower[Symbol.dispose]();
  await until(() => domain.statistics().length === 0 && memoryFiles() <= before);
});

test("without a next producer the loop fails with ESRCH, and without a first with ETIMEDOUT", LIMITED, async (t) => {
  const { domain, place } = listen(t);
  await assert.rejects(domain.follow<number>("camera", { findTimeout: 50 }).next(), { code: "ETIMEDOUT" });
  const holder = await Holder.start(t, place);
  await holder.ask({ order: "publish", name: "camera", versions: [1] });
  using follower = domain.follow<number>("camera", { findTimeout: 300 });
  assert.equal(await take(follower), 1);
  await holder.kill();
  await assert.rejects(follower.next(), { code: "ESRCH" });
  // An agent that asks again is told it again, until another one has come.
  await assert.rejects(follower.next(), { code: "ESRCH" });
  const late = await Holder.start(t, place);
  await late.ask({ order: "publish", name: "camera", versions: [21] });
  assert.equal(await take(follower), 21);
});

// follower.2
test("a stream's end is the loop's end, and what it fails with is thrown, but for ESRCH", LIMITED, async (t) => {
  const { domain, place } = listen(t);
  const start = async (version: number): Promise<Holder> => {
    const holder = await Holder.start(t, place);
    await holder.ask({ order: "publish", name: "camera", versions: [version] });
    return holder;
  };
  const [first, second] = [await start(1), await start(2)];
  const [one, other] = [domain.follow<number>("camera"), domain.follow<number>("camera")];
  // Of two that live, the one that was heard of last.
  assert.deepEqual([await take(one), await take(other)], [2, 2]);
  await second.ask({ order: "end stream", error: "ESRCH" });
  assert.equal(await take(one), 1);
  await first.ask({ order: "end stream", error: "EIO" });
  await assert.rejects(one.next(SOON), { code: "EIO" });
  assert.equal(await take(other), 1, "there is none that has not ended");
  await assert.rejects(other.next(SOON), { code: "EIO" });
  // Its stream, which has failed and not been closed, is found until another one's is heard of.
  await first.kill();
  await until(() => domain.agents.length === 2);
  const third = await start(3);
  using last = domain.follow<number>("camera");
  assert.equal(await take(last), 3);
  await third.ask({ order: "end stream" });
  assert.equal(await take(last), undefined);
  assert.equal(await take(last), undefined);
});

test("no agent takes over from a producer that is only stopped, though another one is ready", LIMITED, async (t) => {
  const { domain, place } = listen(t);
  const first = await Holder.start(t, place);
  await first.ask({ order: "publish", name: "camera", versions: [1] });
  using follower = domain.follow<number>("camera");
  assert.equal(await take(follower), 1);
  const { stream } = follower;
  assert.equal(stream?.name, "camera");
  const second = await Holder.start(t, place);
  await second.ask({ order: "publish", name: "camera", versions: [11] });
  await first.stop();
  await assert.rejects(follower.next({ timeout: LONG }), { code: "ETIMEDOUT" });
  first.goOn();
  await first.ask({ order: "publish", name: "camera", versions: [2] });
  assert.equal(await take(follower), 2);
  assert.equal(follower.stream, stream);
  await first.kill();
  assert.equal(await take(follower), 11);
  assert.notEqual(follower.stream, stream);
  assert.equal(follower.takeovers, 1);
});

// follower.3, stream-directory.1
test("the name of a stream finds no stream of the dead, though its frames are held", LIMITED, async (t) => {
  const { domain, place } = listen(t);
  const holder = await Holder.start(t, place);
  await holder.ask({ order: "publish", name: "camera", versions: [1] });
  using follower = domain.follow<number>("camera");
  using frame = await follower.next(SOON);
  await holder.kill();
  await assert.rejects(follower.next({ timeout: 500 }), { code: "ETIMEDOUT" });
  await assert.rejects(domain.findStream("camera", { timeout: 100 }), { code: "ETIMEDOUT" });
  assert.equal(versionOf(frame!), 1);
});

/** What a follower waits for. */
const STATES: Record<string, (domain: ProcessDomain) => Promise<Follower>> = {
  "a first producer": async (domain) => domain.follow<number>("camera"),
  "a frame": async (domain) => {
    domain.createStream({ name: "camera", format: rawFormat(16) });
    return domain.follow<number>("camera");
  },
  "a next producer": async (domain) => {
    const stream = domain.createStream({ name: "camera", format: rawFormat(16) });
    const follower = domain.follow<number>("camera");
    (await stream.loan())!.publish();
    (await follower.next())![Symbol.dispose]();
    stream.fail("ESRCH");
    return follower;
  },
};

for (const [state, reach] of Object.entries(STATES)) {
  test(`a wait for ${state} ends when it is disposed, aborted, or its domain left`, LIMITED, async (t) => {
    const { domain } = listen(t);
    const waiting = async (): Promise<[Follower, AbortController, Promise<Frame | undefined>]> => {
      const [follower, abort] = [await reach(domain), new AbortController()];
      const frame = follower.next({ signal: abort.signal });
      frame.catch(() => {});
      await pause(20);
      await assert.rejects(follower.next(), { code: "EBUSY" });
      return [follower, abort, frame];
    };
    const [disposed, , none] = await waiting();
    disposed[Symbol.dispose]();
    assert.equal(await none, undefined);
    await assert.rejects(disposed.next(), { code: "EBADF" });

    const [aborted, abort, reason] = await waiting();
    abort.abort(new Error("enough"));
    await assert.rejects(reason, { message: "enough" });
    await assert.rejects(aborted.next({ timeout: 10 }), { code: "ETIMEDOUT" });

    const [left, , canceled] = await waiting();
    domain.close();
    await assert.rejects(canceled, { code: "ECANCELED" });
    await assert.rejects(left.next(), { code: "EBADF" });
    for (const follower of [aborted, left]) follower[Symbol.dispose]();
  });
}

test("thirty producers one after the other leave nothing behind in their follower", LIMITED, async (t) => {
  const { domain, place } = listen(t, { streams: 4 });
  using follower = domain.follow<number>("camera", { policy: "drop-oldest" });
  const produce = async (version: number): Promise<void> => {
    using other = await ProcessDomain.connect(place);
    const stream = other.createStream({ name: "camera", format: rawFormat(4096) });
    const loan = (await stream.loan())!;
    loan.publish({ data: version });
    using frame = await follower.next(SOON);
    assert.equal(frame!.data, version);
    stream.fail("ESRCH");
  };
  await produce(0);
  const before = memoryFiles();
  for (let version = 1; version <= 30; version++) await produce(version);
  assert.equal(follower.takeovers, 30);
  follower[Symbol.dispose]();
  await until(() => domain.statistics().length === 0 && memoryFiles() <= before);
});
