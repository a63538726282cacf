import assert from "node:assert/strict";
import { fork, type ChildProcess } from "node:child_process";
import { test, type TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { startCluster } from "dmabuf-host-lab";
import type { HostQueueOptions } from "../../src/hosts/index.js";
import { joinHost, type JoinedHost } from "../joined-hosts.js";
import { startServer, WITH_NATS } from "../nats-server.js";

const PROGRAM = new URL("job-party.js", import.meta.url);
const LONG = { ...WITH_NATS, timeout: 240_000 };

interface Said {
  readonly ready?: true;
  readonly begun?: number;
  readonly delivery?: number;
}

/** A process with a host of its own. */
class JobParty {
  readonly said: Said[] = [];
  readonly process: ChildProcess;

  constructor(t: TestContext, what: "work" | "slow" | "submit", { url }: { readonly url: string }, name: string) {
    this.process = fork(PROGRAM, [what, url, name], { stdio: ["ignore", "ignore", "inherit", "ipc"] });
    this.process.on("message", (said: Said) => this.said.push(said));
    t.after(() => this.process.kill("SIGKILL"));
  }

  begun(): boolean {
    return this.said.some(({ begun }) => begun !== undefined);
  }
}

/** The test's timeout is the limit. */
async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await pause(50);
}

function sumsOf(t: TestContext, host: JoinedHost, options: Partial<HostQueueOptions> = {}) {
  const queue = host.hosts.createQueue({ name: "sums", limit: 120_000, ...options });
  t.after(() => queue.close());
  return queue;
}

async function submitTo(
  t: TestContext,
  host: JoinedHost,
  numbers: readonly number[],
  options: Partial<HostQueueOptions> = {},
) {
  const queue = sumsOf(t, host, options);
  const size = 4096;
  const source = host.domain.allocate(size);
  {
    using access = await source.access("write");
    access.bytes.fill(1);
  }
  return Promise.all(
    numbers.map(async (number) => {
      const target = host.domain.allocate(size);
      return { number, target, fence: await queue.submit({ reads: [source], writes: [target], data: number }) };
    }),
  );
}

type Submitted = Awaited<ReturnType<typeof submitTo>>;

async function checkSums(jobs: Submitted): Promise<void> {
  for (const { number, target, fence } of jobs) {
    await fence.wait();
    assert.equal(fence.error, undefined, `job ${number}`);
    using access = await target.access("read");
    assert.ok(
      access.bytes.every((byte) => byte === ((number + 1) & 255)),
      `job ${number} has another result`,
    );
  }
}

test("200 jobs over two processes, of which one is killed again and again: each result is right", LONG, async (t) => {
  const server = await startServer(t);
  const a = await joinHost(t, { name: "a", servers: [server.url], hostLimit: 3_000 });
  const stays = new JobParty(t, "work", server, "stays");
  await until(() => stays.said.length > 0);
  let dies = new JobParty(t, "work", server, "dies 0");
  const jobs = await submitTo(
    t,
    a,
    Array.from({ length: 200 }, (_, i) => i),
  );
  const versions = jobs.map(({ target }) => target.contentVersion);
  let kills = 0;
  for (; kills < 3 && !jobs.every(({ fence }) => fence.isSignaled()); kills++) {
    await until(() => dies.begun() || jobs.every(({ fence }) => fence.isSignaled()));
    dies.process.kill("SIGKILL");
    dies = new JobParty(t, "work", server, `dies ${kills + 1}`);
  }
  await checkSums(jobs);
  assert.ok(kills > 0, "none was killed in the middle");
  // What comes late changes nothing.
  const after = jobs.map(({ target }) => target.contentVersion);
  assert.ok(after.every((version, i) => version > versions[i]!));
  await pause(3_000);
  assert.deepEqual(
    jobs.map(({ target }) => target.contentVersion),
    after,
  );
  await checkSums(jobs);
});

test(
  "a worker that is stopped loses its job to another, and what it finishes later counts for nothing",
  LONG,
  async (t) => {
    const server = await startServer(t);
    const a = await joinHost(t, { name: "a", servers: [server.url], hostLimit: 3_000 });
    const stopped = new JobParty(t, "slow", server, "stopped");
    const jobs = await submitTo(t, a, [41]);
    await until(() => stopped.begun());
    stopped.process.kill("SIGSTOP");
    const other = new JobParty(t, "work", server, "other");
    await checkSums(jobs);
    const [job] = jobs;
    const version = job!.target.contentVersion;
    assert.ok(other.said.some(({ begun, delivery }) => begun === 41 && delivery === 2));
    stopped.process.kill("SIGCONT");
    // It finds that it was lost, and what it does then is for nothing.
    await pause(2_000);
    assert.equal(job!.target.contentVersion, version);
    await checkSums(jobs);
  },
);

test("a job whose workers are all killed fails with ESRCH long before its limit", LONG, async (t) => {
  const server = await startServer(t);
  const a = await joinHost(t, { name: "a", servers: [server.url], hostLimit: 3_000 });
  const [job] = await submitTo(t, a, [1]);
  for (let i = 1; i <= 3; i++) {
    const worker = new JobParty(t, "slow", server, `killed ${i}`);
    await until(() => worker.begun());
    worker.process.kill("SIGKILL");
  }
  await job!.fence.wait();
  assert.equal(job!.fence.error?.code, "ESRCH");
});

test("the jobs of a submitter that was killed hold up no worker", LONG, async (t) => {
  const server = await startServer(t);
  const submitter = new JobParty(t, "submit", server, "submitter");
  await until(() => submitter.said.length > 0);
  submitter.process.kill("SIGKILL");
  const worker = new JobParty(t, "work", server, "worker");
  await until(() => worker.said.length > 0);
  const a = await joinHost(t, { name: "a", servers: [server.url], hostLimit: 3_000 });
  await checkSums(await submitTo(t, a, [7, 8]));
});

/** Whether so many jobs are in a cluster, and each server has what it had missed: without, not even two of three have all. */
async function areAllCurrent(servers: readonly string[], jobs: number): Promise<boolean> {
  const nats = await connect({ servers: [...servers] });
  try {
    const { streams, consumers } = await jetstreamManager(nats);
    const [stream] = await streams.list().next();
    const [consumer] = await consumers.list(stream!.config.name).next();
    const replicas = [stream, consumer].flatMap((kept) => kept?.cluster?.replicas ?? []);
    return stream!.state.messages >= jobs && replicas.length === 4 && replicas.every(({ current }) => current);
  } catch {
    // The servers have no leader yet.
    return false;
  } finally {
    await nats.close();
  }
}

/** Jobs are kept on three servers, of which one after the other dies, and comes back without what it had in its memory. */
async function outliveServers(t: TestContext, isThere: boolean): Promise<void> {
  const servers = await startCluster();
  for (const server of servers) t.after(() => server.close());
  const urls = servers.map(({ url }) => url);
  const a = await joinHost(t, { name: "a", servers: urls, hostLimit: 3_000 });
  const all = { url: urls.join() };
  if (isThere) {
    const early = new JobParty(t, "work", all, "early");
    await checkSums(await submitTo(t, a, [1]));
    early.process.kill("SIGKILL");
  }
  for (const [index, server] of servers.entries()) {
    // No worker is there: the servers alone have them.
    const jobs = await submitTo(t, a, [10 + index, 20 + index], { replicas: 3 });
    await until(() => areAllCurrent(urls, jobs.length));
    await server.kill();
    const worker = new JobParty(t, "work", all, `worker ${index}`);
    await checkSums(jobs);
    worker.process.kill("SIGKILL");
    await server.start();
  }
}

test("jobs with three replicas outlive each of three servers", LONG, (t) => outliveServers(t, false));

test("also where their queue was there with one replica broker.4", LONG, (t) => outliveServers(t, true));
