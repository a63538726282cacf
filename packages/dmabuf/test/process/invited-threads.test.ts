/** Threads that are invited by threads that end: neither needs the other. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Worker, type MessagePort } from "node:worker_threads";
import { agentOf } from "../../src/domain-base.js";
import { isLive } from "../../src/domain/agent-slot.js";
import { rawFormat } from "../../src/index.js";
import { ProcessDomain, type WorkerInvitation } from "../../src/node/index.js";
import { until } from "../agents.js";
import { listen } from "./holder-process.js";
import { ONCE } from "../once.js";

const LIMITED = { ...ONCE, timeout: 60_000 };
const MODULE = new URL("../../src/node/index.js", import.meta.url).href;

/** A worker that runs a piece of code, and what it says first. `trackUnmanagedFds` makes no difference. */
async function start(code: string, data: object, transferList: MessagePort[] = []) {
  const script = `
    const { workerData, parentPort } = require("node:worker_threads");
    const { place, handle } = workerData;
    import(workerData.module).then(async ({ ProcessDomain }) => {
      ${code}
      setInterval(() => {}, 1e9);
    });`;
  const workerData = { module: MODULE, ...data };
  const worker = new Worker(script, { eval: true, workerData, transferList, trackUnmanagedFds: false });
  const [said] = (await once(worker, "message")) as unknown[];
  return { worker, said };
}

/** A worker that connects to the place, and invites another one. */
async function startInviter(place: string): Promise<{ worker: Worker; invitation: WorkerInvitation }> {
  const code = `const invitation = (await ProcessDomain.connect(place, { name: "inviter" })).invite({ name: "invited" });
    parentPort.postMessage(invitation, [invitation.port]);`;
  const { worker, said } = await start(code, { place });
  return { worker, invitation: said as WorkerInvitation };
}

test("a thread whose inviter has ended lives on, and its own end is noticed", LIMITED, async (t) => {
  const { domain, place } = listen(t);
  const inviter = await startInviter(place);
  using buffer = domain.allocate(4096);
  const { invitation } = inviter;
  const code = `globalThis.access = await ProcessDomain.join(workerData.invitation).import(handle).access("write");
    parentPort.on("message", () => parentPort.postMessage(globalThis.access.bytes.fill(3)[5]));
    parentPort.postMessage("holds");`;
  const handle = { ...buffer.handle() };
  const invited = await start(code, { invitation, handle }, [invitation.port]);
  await inviter.worker.terminate();
  await until(() => !domain.agents.includes("inviter"));
  invited.worker.postMessage("go on");
  assert.deepEqual(await once(invited.worker, "message"), [3]);
  assert.equal(buffer.tryAccess("write"), undefined);
  assert.deepEqual(domain.agents, ["here", "invited"]);
  await invited.worker.terminate();
  (await buffer.access("write", { timeout: 30_000 }))[Symbol.dispose]();
  await until(() => domain.agents.length === 1);
});

// membership.4
test("an invitation whose inviter has ended is void, and the slot that it kept is free again", LIMITED, async (t) => {
  const { domain, place } = listen(t);
  const { worker, invitation } = await startInviter(place);
  const { identity } = invitation.reservation as { readonly identity: number };
  assert.deepEqual([domain.agents, isLive(agentOf(domain), identity)], [["here", "inviter"], true]);
  await worker.terminate();
  await until(() => domain.agents.length === 1 && !isLive(agentOf(domain), identity));
  assert.throws(() => ProcessDomain.join(invitation), { code: "ESTALE" });
  assert.deepEqual(domain.agents, ["here"]);
});

test("an invitation whose inviter has left is void", LIMITED, async (t) => {
  const { domain, place } = listen(t);
  const other = await ProcessDomain.connect(place, { name: "other" });
  const invitation = other.invite();
  other.close();
  assert.throws(() => ProcessDomain.join(invitation), { code: "ESTALE" });
  await until(() => domain.agents.length === 1);
});

test("a consumer goes on with the stream of the next thread when the first has been terminated", LIMITED, async (t) => {
  const { domain, place } = listen(t);
  const code = `const { rawFormat } = await import(new URL("../index.js", workerData.module));
    const domain = await ProcessDomain.connect(place);
    const stream = domain.createStream({ name: "camera", format: rawFormat(64) });
    await stream.waitForConsumers(1);
    (await stream.loan()).publish({ data: handle });
    parentPort.postMessage("published");`;
  using follower = domain.follow("camera");
  for (const version of [1, 2, 3]) {
    const started = start(code, { place, handle: version });
    const frame = await follower.next({ timeout: 30_000 });
    assert.equal(frame!.data, version);
    frame![Symbol.dispose]();
    await (await started).worker.terminate();
  }
  assert.equal(follower.takeovers, 2);
});

test("a close unmaps the control segment at once, and what is left of the domain sees the words as they were", () => {
  const mapped = (): number => readFileSync("/proc/self/maps", "utf8").split("/memfd:dmabuf control").length - 1;
  const before = mapped();
  const domain = ProcessDomain.create();
  const timeline = domain.createTimeline();
  const [good, bad, pending] = [timeline.createFence(), timeline.createFence(), timeline.createFence()];
  good.signal();
  bad.setError("EIO");
  bad.signal();
  const stream = domain.createStream({ format: rawFormat(16) });
  const handle = bad.handle();
  const buffer = domain.allocate(4096, { name: "kept" });
  assert.equal(mapped(), before + 1);
  domain.close();
  assert.equal(mapped(), before);
  assert.equal(good.status, 1);
  assert.equal(bad.error?.code, "EIO");
  assert.equal(pending.error?.code, "ECANCELED");
  assert.throws(() => domain.import(handle), { code: "EBADF" });
  assert.throws(() => buffer.tryAccess("read"), { code: "EBADF" });
  stream.close();
  domain.close();
});

test("an invitation that is lost, or revoked, keeps no slot", LIMITED, async () => {
  using domain = ProcessDomain.create({ agents: 2 });
  const isFree = (): boolean => {
    try {
      return domain.revoke(domain.invite());
    } catch {
      return false;
    }
  };
  const lost = domain.invite({ limit: 20 });
  assert.throws(() => domain.invite(), { code: "ENOSPC" });
  assert.equal(domain.agents.length, 1);
  await until(isFree);
  assert.equal(domain.revoke(lost), false);
  const revoked = domain.invite({ limit: Infinity });
  assert.deepEqual([domain.revoke(revoked), domain.revoke(revoked)], [true, false]);
  for (const invitation of [lost, revoked]) {
    assert.throws(() => ProcessDomain.join(invitation), { code: "ESTALE", message: /used before or taken back/ });
  }
  await until(isFree);
  const used = domain.invite({ name: "used", limit: 5 });
  using joined = ProcessDomain.join(used);
  assert.equal(domain.revoke(used), false);
  assert.throws(() => joined.revoke(used), { code: "EINVAL", message: /another thread has made it/ });
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(domain.agents.at(-1), "used");
});
