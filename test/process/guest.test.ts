import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { randomUUID } from "node:crypto";
import { getuid } from "node:process";
import { connect } from "node:net";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { rawFormat, type FrameStream } from "../../src/index.js";
import { Domain, type ShowOptions } from "../../src/node/index.js";
import { until } from "../agents.js";
import type { GuestReport } from "./guest-peer.js";

const LIMITED = { timeout: 30_000 };
const NOBODY = 65534;
const OTHER_USER = { ...LIMITED, skip: getuid?.() === 0 ? false : "only root can start a process of another user" };

interface Shown {
  readonly place: string;
  readonly stream: FrameStream;
}

function show(t: TestContext, options: ShowOptions & { readonly sealed?: boolean } = {}): Shown {
  const domain = Domain.create({ agents: 4 });
  t.after(() => domain.close());
  const { sealed = false, ...others } = options;
  const stream = domain.createStream({ name: "shown", format: rawFormat(1000), buffers: 3, sealed });
  const place = `@dmabuf test ${randomUUID()}`;
  domain.show(place, stream, others);
  return { place, stream };
}

/** A process that takes so many frames, and reports. */
async function visit({ place }: Shown, frames: number, uid?: number): Promise<GuestReport> {
  const script = fileURLToPath(new URL("guest-peer.js", import.meta.url));
  const child = fork(script, [place, String(frames)], uid === undefined ? {} : { uid, gid: uid });
  const [report] = (await once(child, "message")) as [GuestReport];
  return report;
}

/** Publishes until the guest has seen enough. */
async function produce({ stream }: Shown, until: Promise<unknown>): Promise<void> {
  let done = false;
  void until.finally(() => (done = true));
  for (let i = 0; !done; i = (i + 1) % 256) {
    const blank = (await stream.blank())!;
    blank.bytes[0] = i;
    blank.publish();
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

test("a guest sees the frames in order, and has no memory but theirs, to read", LIMITED, async (t) => {
  const shown = show(t);
  const report = visit(shown, 10);
  await produce(shown, report);
  const { seen, memory, failed } = await report;
  assert.equal(failed, undefined);
  assert.equal(seen.length, 10);
  assert.deepEqual(
    seen,
    [...seen].sort((a, b) => a - b),
  );
  assert.deepEqual(memory, Array(3).fill("/memfd:dmabuf shown (deleted) read"));
});

test("a guest of the same user cannot get at sealed memory to write, and can at other memory", LIMITED, async (t) => {
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

test("a guest of another user cannot get at the memory to write", OTHER_USER, async (t) => {
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

test("a guest that gives nothing back, or says what it should not, holds up nobody", LIMITED, async (t) => {
  const shown = show(t);
  const guests = ["", "no JSON\n", '{"done":true}\n', "x".repeat(100_000)].map((words) => {
    const guest = connect(`\0${shown.place.slice(1)}`);
    t.after(() => guest.destroy());
    guest.on("error", () => {});
    guest.write('{"guest":true}\n');
    guest.write(words);
    return guest;
  });
  const enough = new Promise((resolve) => setTimeout(resolve, 300));
  await produce(shown, enough);
  await until(() => guests.slice(1).every((guest) => guest.destroyed || guest.readableEnded));
});
