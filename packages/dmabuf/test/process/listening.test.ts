/** Places where processes find a domain: who gets them, who may come, and what becomes of them. */
import assert from "node:assert/strict";
import { fork, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getuid } from "node:process";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { requestDomain } from "../../src/node/joining/join-protocol.js";
import { codeOf } from "../../src/errors.js";
import { descriptorsOf } from "../../src/node/joining/domain-files.js";
import { ProcessDomain } from "../../src/node/index.js";
import { closeDescriptor, sendMessage, setFileLength } from "../../src/node/system-calls/index.js";
import { until } from "../agents.js";
import { ONCE } from "../once.js";
import { connectBare } from "../strangers.js";
import type { ListenerReport } from "./listener.js";

const LIMITED = { ...ONCE, timeout: 60_000 };
const NOBODY = 65534;
const AS_ROOT = getuid?.() === 0 ? LIMITED : { ...LIMITED, skip: "only root can start a process of another user" };

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "dmabuf-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A process that listens or joins, and says how that went; it stays until it is killed. */
async function start(t: TestContext, what: "listen" | "connect", place: string, uid?: number) {
  const script = fileURLToPath(new URL("listener.js", import.meta.url));
  const child = fork(script, [what, place], uid === undefined ? {} : { uid, gid: uid });
  t.after(() => child.kill("SIGKILL"));
  const [report] = (await once(child, "message")) as [ListenerReport];
  const kill = async (): Promise<void> => {
    const exit = once(child, "exit");
    child.kill("SIGKILL");
    await exit;
  };
  return { child, report, kill };
}

test(
  "a place whose listener was killed is taken over, while its members go on with what they have",
  LIMITED,
  async (t) => {
    const place = join(folder(t), "socket");
    const first = await start(t, "listen", place);
    const member = await ProcessDomain.connect(place);
    t.after(() => member.close());
    const other = await ProcessDomain.connect(place);
    t.after(() => other.close());
    using buffer = member.allocate(4096);
    await first.kill();
    assert.ok(existsSync(place));
    await assert.rejects(ProcessDomain.connect(place), { code: "ECONNREFUSED" });
    member.listen(place);
    const newcomer = await ProcessDomain.connect(place);
    t.after(() => newcomer.close());
    assert.equal(newcomer.id, member.id);
    using there = newcomer.import(buffer.handle());
    using writing = there.tryAccess("write")!;
    writing.bytes.fill(3);
    assert.equal(buffer.tryAccess("read"), undefined);
    assert.equal(other.allocate(1).size, 4096);
  },
);

test("of many who want a place that was left behind one gets it, and all others are told so", LIMITED, async (t) => {
  const place = join(folder(t), "socket");
  await (await start(t, "listen", place)).kill();
  const racers = await Promise.all([1, 2, 3, 4, 5].map(() => start(t, "listen", place)));
  const outcomes = racers.map(({ report }) => report.outcome).sort();
  assert.deepEqual(outcomes, ["EADDRINUSE", "EADDRINUSE", "EADDRINUSE", "EADDRINUSE", "joined"]);
  const winner = racers.find(({ report }) => report.outcome === "joined")!;
  const domain = await ProcessDomain.connect(place);
  t.after(() => domain.close());
  assert.equal(domain.id, winner.report.id);
  assert.deepEqual(readdirSync(join(place, "..")), ["socket"]);
});

test("what is no socket is never replaced (listening-socket.3)", LIMITED, (t) => {
  const place = join(folder(t), "notes");
  writeFileSync(place, "precious");
  assert.throws(() => ProcessDomain.listen(place), { code: "EADDRINUSE" });
  assert.equal(readFileSync(place, "utf8"), "precious");
  mkdirSync(`${place}.d`);
  assert.throws(() => ProcessDomain.listen(`${place}.d`), { code: "EADDRINUSE" });
});

test(
  "a path that is too long is a RangeError, one that just fits is listened at, and no folder is ENOENT",
  LIMITED,
  (t) => {
    const path = folder(t);
    assert.throws(() => ProcessDomain.listen(join(path, "x".repeat(108))), RangeError);
    assert.throws(() => ProcessDomain.listen(join(path, "none", "socket")), { code: "ENOENT" });
    const longest = join(path, "x".repeat(107 - path.length - 1));
    using domain = ProcessDomain.listen(longest);
    assert.equal(statSync(longest).mode & 0o777, 0o600);
    domain.close();
    assert.deepEqual(readdirSync(path), []);
  },
);

test("a folder without rights is EACCES", AS_ROOT, async (t) => {
  const path = folder(t);
  chmodSync(path, 0o755);
  const { report } = await start(t, "listen", join(path, "socket"), NOBODY);
  assert.equal(report.outcome, "EACCES");
});

test("an abstract name is in use while its listener lives, and free afterwards", LIMITED, async (t) => {
  const place = `@dmabuf listening ${process.pid}`;
  const first = await start(t, "listen", place);
  assert.equal(first.report.outcome, "joined");
  assert.throws(() => ProcessDomain.listen(place), { code: "EADDRINUSE" });
  await first.kill();
  ProcessDomain.listen(place).close();
});

test(
  "another user is refused unless it is named, and then joins, and hands on what it was sent (acceptor.1)",
  AS_ROOT,
  async (t) => {
    t.mock.method(process, "emitWarning", () => {});
    const path = folder(t);
    chmodSync(path, 0o755);
    for (const [users, outcome] of [
      [[], "EACCES"],
      [[NOBODY], "joined"],
    ] as const) {
      for (const place of [join(path, "socket"), `@dmabuf users ${process.pid}`]) {
        using domain = ProcessDomain.listen(place, { users, agents: 4 });
        const { child, report, kill } = await start(t, "connect", place, NOBODY);
        assert.equal(report.outcome, outcome, place);
        if (outcome === "joined") {
          const handedOn = once(child, "message");
          using buffer = domain.allocate(4096);
          child.send(buffer.handle());
          assert.equal(((await handedOn) as [{ mode: string }])[0].mode, "read");
        }
        await kill();
        await until(() => domain.agents.length === 1);
      }
    }
  },
);

test("a listener that is stopped is ETIMEDOUT, and a signal ends the wait earlier", LIMITED, async (t) => {
  const place = join(folder(t), "socket");
  const { child } = await start(t, "listen", place);
  child.kill("SIGSTOP");
  const open = readdirSync("/proc/self/fd").length;
  await assert.rejects(ProcessDomain.connect(place, { timeout: 50 }), { code: "ETIMEDOUT" });
  const reason = new Error("enough");
  const aborter = new AbortController();
  const joining = ProcessDomain.connect(place, { signal: aborter.signal });
  aborter.abort(reason);
  await assert.rejects(joining, reason);
  await assert.rejects(ProcessDomain.connect(place, { signal: AbortSignal.abort(reason) }), reason);
  // Also where its queue is full, so that no process can even try.
  const queue = fillQueue(place);
  await assert.rejects(ProcessDomain.connect(place, { timeout: 50 }), { code: "ETIMEDOUT" });
  queue.forEach(closeDescriptor);
  assert.equal(readdirSync("/proc/self/fd").length, open);
  child.kill("SIGCONT");
  (await ProcessDomain.connect(place)).close();
});

/** Connections until there is room for no other one. */
function fillQueue(place: string): number[] {
  const connections: number[] = [];
  for (;;) {
    try {
      connections.push(connectBare(place));
    } catch (error) {
      if (codeOf(error) !== "EAGAIN") throw error;
      return connections;
    }
  }
}

// join-protocol.1
test("who asks with another version of the layout is told EPROTO and both numbers", LIMITED, async (t) => {
  t.mock.method(process, "emitWarning", () => {});
  const place = join(folder(t), "socket");
  using _domain = ProcessDomain.listen(place);
  const connection = connectBare(place);
  sendMessage(connection, Buffer.from('{"layout":1}\n'));
  await assert.rejects(requestDomain(connection, place, { end: performance.now() + 30_000 }), {
    code: "EPROTO",
    message: /version is \d+, not 1/,
  });
  closeDescriptor(connection);
});

test("a child that is started inherits no descriptor of a domain", LIMITED, async (t) => {
  const place = join(folder(t), "socket");
  using domain = ProcessDomain.listen(place);
  using stream = domain.allocate(4096, { name: "kept" });
  stream.handle("read");
  const member = await ProcessDomain.connect(place);
  t.after(() => member.close());
  const list =
    "process.stdout.write(JSON.stringify(fs.readdirSync('/proc/self/fd').map(fd => { try { return fs.readlinkSync('/proc/self/fd/' + fd) } catch { return '' } })))";
  const { stdout } = spawnSync(process.execPath, ["-e", list], { encoding: "utf8" });
  const inherited = (JSON.parse(stdout) as string[]).filter((file) => file.includes("dmabuf"));
  assert.deepEqual(inherited, []);
  const sockets = (JSON.parse(stdout) as string[]).filter((file) => file.startsWith("socket:"));
  assert.ok(sockets.length <= 3, `${sockets.length} sockets`);
});

test("no process that has a domain's descriptors can cut its memory", LIMITED, async (t) => {
  const place = join(folder(t), "socket");
  using domain = ProcessDomain.listen(place, { agents: 4 });
  using buffer = domain.allocate(8192);
  const member = await ProcessDomain.connect(place);
  t.after(() => member.close());
  using there = member.import(buffer.handle());
  const connection = connectBare(place);
  const files = await requestDomain(connection, place, { end: performance.now() + 30_000 });
  for (const length of [0, 4096, 2 ** 30]) assert.throws(() => setFileLength(files.control, length), { code: "EPERM" });
  let cut = 0;
  for (const fd of readdirSync("/proc/self/fd").map(Number)) {
    if (!isMemory(fd)) continue;
    for (const length of [0, 4096]) assert.throws(() => setFileLength(fd, length), { code: /EPERM|EINVAL/ });
    cut++;
  }
  assert.ok(cut >= 4, `${cut} files`);
  for (const descriptor of [connection, ...descriptorsOf(files)]) closeDescriptor(descriptor);
  assert.equal(there.tryAccess("write")!.bytes.length, 8192);
});

function isMemory(fd: number): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`).startsWith("/memfd:dmabuf");
  } catch {
    return false;
  }
}
