/** Children, and the threads and processes of pools: each finds the domain of the one that has started it. */
import assert from "node:assert/strict";
import { fork, spawnSync, type ChildProcess, type ForkOptions } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readlinkSync } from "node:fs";
import { env, execPath } from "node:process";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { setEnvironmentData, Worker } from "node:worker_threads";
import { ProcessDomain } from "../../src/node/index.js";
import { until } from "../agents.js";
import type { HeirOrder } from "./heir.js";
import { ONCE } from "../once.js";

const LIMITED = { ...ONCE, timeout: 60_000 };
/** As documented: pools that give their processes an environment of their own need it there. */
const VARIABLE = "DMABUF_DOMAIN";
const HEIR = new URL("heir.js", import.meta.url);

function createDomain(t: TestContext): ProcessDomain {
  const domain = ProcessDomain.create({ agents: 8, name: "here" });
  t.after(() => domain.close());
  return domain;
}

/** A child that does what it is told. */
async function forked(t: TestContext, domain: ProcessDomain, options: ForkOptions = {}): Promise<ChildProcess> {
  return ready(t, domain.fork(HEIR, [], options));
}

async function ready<Started extends ChildProcess | Worker>(t: TestContext, started: Started): Promise<Started> {
  t.after(() => end(started));
  assert.equal((await once(started, "message"))[0], "ready");
  return started;
}

async function ask(whom: ChildProcess | Worker, order: HeirOrder): Promise<unknown> {
  const answer = once(whom, "message") as Promise<[unknown]>;
  if (whom instanceof Worker) whom.postMessage(order);
  else whom.send(order);
  return (await answer)[0];
}

/** However it is at that. */
async function end(whom: ChildProcess | Worker): Promise<void> {
  if (whom instanceof Worker) {
    await whom.terminate();
  } else if (whom.exitCode === null && whom.signalCode === null) {
    const ended = once(whom, "exit");
    whom.kill("SIGKILL");
    await ended;
  }
}

function sockets(): string[] {
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith("socket:") ? [fd] : [];
    } catch {
      return [];
    }
  });
}

test("a forked child joins without a number, and what it held comes back when it is killed", LIMITED, async (t) => {
  const domain = createDomain(t);
  const before = sockets().length;
  const child = await forked(t, domain);
  assert.deepEqual(await ask(child, { order: "inherit", options: { name: "child" } }), ["here", "child"]);
  using buffer = domain.allocate(4096);
  assert.equal(await ask(child, { order: "write", handle: { ...buffer.handle() }, value: 7 }), 4096);
  assert.equal(buffer.tryAccess("read"), undefined);
  await end(child);
  using access = await buffer.access("read", { timeout: 30_000 });
  assert.equal(access.bytes[4095], 7);
  await until(() => domain.agents.length === 1);
  await until(() => sockets().length === before);
});

test("a forked child joins whatever its standard streams and its environment are", LIMITED, async (t) => {
  const domain = createDomain(t);
  for (const options of [
    { silent: true },
    { stdio: "pipe" },
    { stdio: ["ignore", "inherit", "inherit", "ipc", "pipe", "ignore"] },
    { stdio: "inherit", serialization: "advanced", env: { PATH: env["PATH"], OWN: "value" } },
  ] as const) {
    const child = await forked(t, domain, options as ForkOptions);
    assert.deepEqual(await ask(child, { order: "inherit", options: { name: "child" } }), ["here", "child"]);
    assert.equal(await ask(child, { order: "variable" }), "none");
    await end(child);
    await until(() => domain.agents.length === 1);
  }
});

test(
  "a grandchild has no invitation, before and after the child has used its own, and touches no descriptor (inheritance.1)",
  LIMITED,
  async (t) => {
    const child = await forked(t, createDomain(t));
    const { order, ...start } = { order: "start", kind: "process" } as const;
    for (const outcome of ["EINVAL", "ENOENT"]) {
      assert.equal(await ask(child, { order, ...start }), "ready");
      const before = await ask(child, { order: "tell", what: { order: "descriptors" } });
      assert.equal(await ask(child, { order: "tell", what: { order: "inherit" } }), outcome);
      assert.deepEqual(await ask(child, { order: "tell", what: { order: "descriptors" } }), before);
      if (outcome === "ENOENT") break;
      assert.deepEqual(await ask(child, { order: "inherit", options: { name: "child" } }), ["here", "child"]);
      assert.equal(await ask(child, { order: "inherit" }), "ENOENT");
    }
  },
);

test("inherit() takes no descriptor for the invitation that is another one (inheritance.1)", LIMITED, async (t) => {
  const domain = createDomain(t);
  const invitation = domain.inviteProcess();
  const id = "00000000-0000-4000-8000-000000000000";
  for (const descriptor of [3, 4, 5]) {
    const stdio = ["ignore", "inherit", "inherit", "ipc", invitation.descriptor] as const;
    const variable = { [VARIABLE]: `descriptor ${descriptor} ${id}` };
    const child = await ready(t, fork(fileURLToPath(HEIR), { stdio: [...stdio], env: { ...env, ...variable } }));
    const before = await ask(child, { order: "descriptors" });
    assert.equal(await ask(child, { order: "inherit" }), "EINVAL");
    assert.deepEqual(await ask(child, { order: "descriptors" }), before, "nothing was closed");
    await end(child);
  }
  const other = await ProcessDomain.inherit(invitation);
  assert.equal(other.id, domain.id, "nothing was taken out");
  other.close();
});

test("inherit() without anything to inherit is ENOENT and names the cures", LIMITED, async (t) => {
  const before = env[VARIABLE];
  t.after(() => (before === undefined ? delete env[VARIABLE] : (env[VARIABLE] = before)));
  for (const nonsense of [undefined, "", "4", "descriptor", "descriptor -1 x", "descriptor x y", "place"]) {
    if (nonsense === undefined) delete env[VARIABLE];
    else env[VARIABLE] = nonsense;
    await assert.rejects(ProcessDomain.inherit(), {
      code: "ENOENT",
      message: /domain\.fork\(\).*shareWithWorkers\(\)/,
    });
  }
});

test("a fork that fails leaves nothing", LIMITED, async (t) => {
  const domain = createDomain(t);
  const before = sockets().length;
  assert.throws(() => domain.fork(HEIR, [], { stdio: ["ignore", "ignore", "ignore"] }), { code: /IPC/ });
  const nowhere = domain.fork(HEIR, [], { execPath: "/nowhere/node" });
  await once(nowhere, "error");
  await until(() => sockets().length === before);
  assert.deepEqual(domain.agents, ["here"]);
});

test(
  "threads find a shared domain with the descriptors that there are, and what they held comes back (inheritance.2)",
  LIMITED,
  async (t) => {
    const domain = createDomain(t);
    domain.shareWithWorkers();
    domain.shareWithWorkers();
    using buffer = domain.allocate(4096);
    const descriptors = (): number => readdirSync("/proc/self/fd").length;
    for (const settings of [{}, { env: {} }, { trackUnmanagedFds: false }]) {
      const worker = await ready(t, new Worker(HEIR, settings));
      const before = descriptors();
      assert.deepEqual(await ask(worker, { order: "inherit", options: { name: "thread" } }), ["here", "thread"]);
      const own = descriptors() - before;
      assert.ok(own < 8, `${own} more descriptors`);
      assert.equal(await ask(worker, { order: "write", handle: { ...buffer.handle() }, value: 7 }), 4096);
      await end(worker);
      (await buffer.access("read", { timeout: 30_000 })).close();
      await until(() => domain.agents.length === 1);
    }
  },
);

test(
  "processes find a shared domain, and so do the threads and processes that they start (inheritance.2)",
  LIMITED,
  async (t) => {
    const domain = createDomain(t);
    domain.shareWithWorkers();
    const child = await ready(t, fork(fileURLToPath(HEIR)));
    assert.deepEqual(await ask(child, { order: "inherit", options: { name: "child" } }), ["here", "child"]);
    for (const kind of ["thread", "process"] as const) {
      await ask(child, { order: "start", kind });
      const joined = await ask(child, { order: "tell", what: { order: "inherit", options: { name: kind } } });
      assert.ok((joined as string[]).includes(kind), String(joined));
    }
    await end(child);
    await until(() => domain.agents.length === 1);
  },
);

test(
  "a domain that is shared no more is left to no thread or process, and the variable is as it was (inheritance.3)",
  LIMITED,
  async (t) => {
    const [domain, other] = [createDomain(t), createDomain(t)];
    domain.shareWithWorkers();
    assert.match(env[VARIABLE]!, /^@dmabuf /);
    assert.throws(() => other.shareWithWorkers(), { code: "EBUSY" });
    const [worker, child] = [await ready(t, new Worker(HEIR)), await ready(t, fork(fileURLToPath(HEIR)))];
    domain.close();
    assert.equal(env[VARIABLE], undefined);
    await assert.rejects(ProcessDomain.inherit(), { code: "ENOENT" });
    assert.equal(await ask(worker, { order: "inherit" }), "ESTALE");
    assert.equal(await ask(child, { order: "inherit" }), "ECONNREFUSED");
    assert.throws(() => domain.shareWithWorkers(), { code: "EBADF" });
    other.shareWithWorkers();
    // What is another one's by then stays.
    setEnvironmentData(VARIABLE, "mine");
    env[VARIABLE] = "mine";
    other.close();
    assert.equal(env[VARIABLE], "mine");
    setEnvironmentData(VARIABLE);
    delete env[VARIABLE];
  },
);

test("a domain that is shared with workers does not keep its process alive", LIMITED, () => {
  const module = JSON.stringify(new URL("../../src/node/index.js", import.meta.url));
  const program = `import { ProcessDomain } from ${module}; ProcessDomain.create({ agents: 4 }).shareWithWorkers();`;
  const { status, stderr, signal } = spawnSync(execPath, ["--input-type=module", "-e", program], {
    encoding: "utf8",
    timeout: 30_000,
  });
  assert.deepEqual({ status, stderr, signal }, { status: 0, stderr: "", signal: null });
});
