/** Processes and threads that share the work on a stream, and are killed, terminated or stopped at any time. */
import assert from "node:assert/strict";
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { Domain, rawFormat, type FrameStream } from "../../src/index.js";
import { pause, until } from "../agents.js";
import { Random } from "../random.js";
import { listen } from "./holder-process.js";
import type { Share } from "./sharing-worker.js";

const LIMITED = { timeout: 60_000 };
const PROGRAM = new URL("sharing-worker.js", import.meta.url);
const FORMAT = { format: rawFormat(8), name: "work", buffers: 3 };
const FRAMES = 300;

/** The lines that all members write. */
class Ledger {
  readonly file: string;

  constructor(t: TestContext) {
    const folder = mkdtempSync(join(tmpdir(), "dmabuf-"));
    t.after(() => rmSync(folder, { recursive: true }));
    this.file = join(folder, "done");
  }

  get frames(): number[] {
    return existsSync(this.file) ? readFileSync(this.file, "latin1").trim().split("\n").map(Number) : [];
  }

  /** Each frame was worked on, and no more of them twice than members have died. */
  check(deaths: number): void {
    const { frames } = this;
    assert.equal(new Set(frames).size, FRAMES);
    assert.ok(
      frames.length - FRAMES <= deaths,
      `${frames.length - FRAMES} frames were done again after ${deaths} deaths`,
    );
  }
}

/** Publishes all frames; between them something else happens `times` times. */
async function publishAll(stream: FrameStream, times: number, happen: () => unknown): Promise<void> {
  const random = new Random(times);
  for (let frame = 0; frame < FRAMES; frame++) {
    (await stream.loan({ timeout: 20_000 }))!.publish();
    if (random.below(FRAMES) < times) await happen();
  }
  stream.end();
}

/**
 * Starts a member in the place of one that has died. A group that has no member holds no producer, so the death must have been
 * noticed: until then the dead counts as a consumer.
 */
async function replace<Member>(stream: FrameStream, members: Member[], start: () => Member): Promise<void> {
  await until(() => stream.consumers === members.length);
  members.push(start());
  await stream.waitForConsumers(members.length);
}

test("processes that are killed lose no frame of their group, and each does at most one again", LIMITED, async (t) => {
  const { domain, place } = listen(t);
  const ledger = new Ledger(t);
  const stream = domain.createStream(FORMAT);
  const start = (): ChildProcess => fork(fileURLToPath(PROGRAM), [place, ledger.file], { stdio: "inherit" });
  const members = [start(), start(), start()];
  t.after(() => members.forEach((member) => member.kill("SIGKILL")));
  await stream.waitForConsumers(members.length);
  let deaths = 0;
  await publishAll(stream, 8, async () => {
    if (deaths > 0) await replace(stream, members, start);
    members.shift()!.kill("SIGKILL");
    deaths++;
  });
  await until(() => members.every(({ exitCode }) => exitCode === 0));
  assert.ok(deaths > 0);
  ledger.check(deaths);
  assert.equal(stream.consumers, 0);
});

test(
  "threads that are terminated lose no frame of their group, and each does at most one again",
  LIMITED,
  async (t) => {
    using domain = Domain.create();
    const ledger = new Ledger(t);
    using stream = domain.createStream(FORMAT);
    const start = (): Worker => {
      const invitation = domain.invite();
      const share: Share = { invitation, stream: structuredClone(stream.handle()), file: ledger.file };
      return new Worker(PROGRAM, { workerData: share, transferList: [invitation.port] });
    };
    const members = [start(), start()];
    await stream.waitForConsumers(members.length);
    let deaths = 0;
    await publishAll(stream, 8, async () => {
      if (deaths > 0) await replace(stream, members, start);
      await members.shift()!.terminate();
      deaths++;
    });
    await Promise.all(members.map((member) => once(member, "exit")));
    assert.ok(deaths > 0);
    ledger.check(deaths);
  },
);

test("a process that is stopped keeps its frame, and holds up no other member", LIMITED, async (t) => {
  const { domain, place } = listen(t);
  const ledger = new Ledger(t);
  const stream = domain.createStream(FORMAT);
  const start = (...rest: string[]): ChildProcess =>
    fork(fileURLToPath(PROGRAM), [place, ledger.file, ...rest], { stdio: "inherit" });
  const [one, two] = [start("stops"), start()];
  t.after(() => [one, two].forEach((member) => member.kill("SIGKILL")));
  await stream.waitForConsumers(2);
  const begin = performance.now();
  await publishAll(stream, 0, () => {});
  const took = performance.now() - begin;
  await until(() => ledger.frames.length === FRAMES - 1);
  assert.ok(took < FRAMES * 5, `${FRAMES} frames have taken ${took} ms: each has waited for the one that is stopped`);
  await pause(50);
  assert.equal(two.exitCode, null, "who may yet get a frame waits for it");
  one.kill("SIGCONT");
  await until(() => one.exitCode === 0 && two.exitCode === 0);
  ledger.check(0);
});
