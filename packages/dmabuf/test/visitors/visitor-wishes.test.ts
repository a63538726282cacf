import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import process from "node:process";
import { test, type TestContext } from "node:test";
import { rawFormat, type FrameStream } from "../../src/index.js";
import { codeOf } from "../../src/errors.js";
import { ProcessDomain, StreamViewer, type ServeViewersOptions, type ViewerServer } from "../../src/node/index.js";
import { isPending, until } from "../agents.js";
import { Holder, listen } from "../process/holder-process.js";
import { Visitor } from "./visitors.js";

const LIMITED = { timeout: 120_000 };
/** Milliseconds in which nothing may come. */
const A_WHILE = { timeout: 50 };

interface Shown {
  readonly stream: FrameStream;
  readonly place: string;
  readonly server: ViewerServer;
}

function show(t: TestContext, options: ServeViewersOptions, buffers = 2): Shown {
  const domain = ProcessDomain.create({ agents: 4 });
  t.after(() => domain.close());
  const stream = domain.createStream({ name: "shown", format: rawFormat(1000), buffers });
  const place = `@dmabuf test ${randomUUID()}`;
  return { stream, place, server: domain.serveViewers(place, stream, options) };
}

async function publish({ stream }: Shown): Promise<void> {
  (await stream.loan({ timeout: 60_000 }))!.publish();
}

test(
  "a viewer has the policy and the group that it asks for, if a member has allowed them (viewer-server.5)",
  LIMITED,
  async (t) => {
    t.mock.method(process, "emitWarning", () => {});
    const { place } = show(t, {});
    for (const [options, policy] of [
      [{}, "newest"],
      [{ policy: "newest" }, "newest"],
      [{ policy: "drop-oldest", name: "me" }, "drop-oldest"],
    ] as const) {
      using viewer = await StreamViewer.connect(place, options);
      assert.equal(viewer.policy, policy);
    }
    await assert.rejects(StreamViewer.connect(place, { policy: "block" }), { code: "EACCES", message: /"policies"/ });
    await assert.rejects(StreamViewer.connect(place, { group: "workers" }), { code: "EACCES", message: /"groups"/ });
    const open = show(t, { policies: ["block"], groups: ["workers"], group: "own", policy: "block" });
    for (const group of ["workers", "own", undefined]) {
      using viewer = await StreamViewer.connect(open.place, { policy: "block", ...(group !== undefined && { group }) });
      assert.equal(viewer.policy, "block");
    }
    await assert.rejects(StreamViewer.connect(open.place, { policy: "newest" }), { code: "EACCES" });
  },
);

test("a viewer that asks for another policy gets what that policy gives", LIMITED, async (t) => {
  const shown = show(t, { policies: ["newest", "block"] }, 4);
  using newest = await StreamViewer.connect(shown.place, { policy: "newest" });
  using block = await StreamViewer.connect(shown.place, { policy: "block" });
  // Each looks at the first frame while two more come.
  await publish(shown);
  const first = [(await newest.next())!, (await block.next())!];
  await publish(shown);
  await publish(shown);
  for (const frame of first) frame.close();
  using later = (await newest.next())!;
  using next = (await block.next())!;
  assert.deepEqual([later.sequence, next.sequence], [2, 1]);
});

test("of viewers that ask for a group another one gets the frame of one that is killed", LIMITED, async (t) => {
  const { domain, place } = listen(t);
  const [stream, hall] = [domain.createStream({ format: rawFormat(1000), buffers: 2 }), `${place} of the show`];
  domain.serveViewers(hall, stream, { policies: ["block"], groups: ["workers"], policy: "block", group: "workers" });
  const killed = await Holder.start(t, place);
  const looking = killed.ask({ order: "visit", place: hall });
  await stream.waitForConsumers(1, { timeout: 60_000 });
  (await stream.loan())!.publish();
  assert.equal(await looking, 0);
  using viewer = await StreamViewer.connect(hall, { policy: "block", group: "workers" });
  killed.child.kill("SIGKILL");
  using frame = (await viewer.next())!;
  assert.equal(frame.sequence, 0);
});

test(
  "a viewer with the policy block that is stopped holds the producer up until it is killed, and no other viewer does",
  LIMITED,
  async (t) => {
    const shown = show(t, { policies: ["block"] }, 2);
    const stopped = new Visitor(t);
    await stopped.ask({ do: "connect", place: shown.place });
    await stopped.say({ visitor: 1, as: "viewer", policy: "newest" });
    await stopped.hear();
    stopped.child.kill("SIGSTOP");
    for (let i = 0; i < 10; i++) await publish(shown);
    const blocking = new Visitor(t);
    await blocking.ask({ do: "connect", place: shown.place });
    await blocking.say({ visitor: 1, as: "viewer", policy: "block" });
    await blocking.hear();
    blocking.child.kill("SIGSTOP");
    // The one in the ring and one more: then it holds both.
    let published = 0;
    while ((await shown.stream.loan(A_WHILE).then((loan) => loan!.publish(), codeOf)) !== "ETIMEDOUT") published += 1;
    assert.ok(published < 4, `${published}`);
    const waiting = shown.stream.loan({ timeout: 60_000 });
    assert.equal(await isPending(waiting), true);
    await blocking.kill();
    (await waiting)!.publish();
    for (let i = 0; i < 10; i++) await publish(shown);
    stopped.child.kill("SIGKILL");
  },
);

test("a viewer that does not read what it is told loses its connection (viewer-server.4)", LIMITED, async (t) => {
  const shown = show(t, {});
  const visitor = new Visitor(t);
  await visitor.ask({ do: "connect", place: shown.place });
  await visitor.say({ visitor: 1, as: "viewer" });
  await visitor.hear();
  for (let i = 0; i < 3000 && shown.server.viewers > 0; i++) {
    await publish(shown);
    // It guesses that there is one.
    await new Promise((resolve) => setImmediate(resolve));
    await visitor.ask({ do: "say", text: '{"done":true}\n' });
  }
  await until(() => shown.server.viewers === 0);
});
