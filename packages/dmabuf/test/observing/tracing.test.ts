/** Traces of programs that are killed in the middle of an event, and of those that an observer looks at. */
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execPath, pid } from "node:process";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { ProcessDomain, readTrace, type TraceFile } from "../../src/node/index.js";
import { pause, until } from "../agents.js";

const LIMIT = { timeout: 240_000 };
const PROGRAM = fileURLToPath(new URL("traced-program.js", import.meta.url));
/** How many events a file has room for. */
const ROOM = 2 ** 15;
let places = 0;

interface Program {
  readonly child: ChildProcess;
  readonly folder: string;
  readonly where: string;
}

async function start(t: TestContext): Promise<Program> {
  const folder = mkdtempSync(join(tmpdir(), "traces-"));
  const where = `@dmabuf traced ${pid} ${++places}`;
  const child = spawn(execPath, [PROGRAM, where], {
    env: { ...process.env, DMABUF_TRACE: folder },
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => {
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true });
  });
  await once(child.stdout, "data");
  return { child, folder, where };
}

/** Fences 1, 2, 3, … of one timeline: each is made and then signaled, and nothing is missing up to the last event. */
function checkWhole({ events }: TraceFile): void {
  const fences = events.filter(({ point }) => point === "fence:init" || point === "fence:signaled");
  let last = fences[0]!;
  assert.notEqual(last, undefined, "every event was written over while it was read");
  for (const event of fences.slice(1)) {
    assert.ok(event.at >= last.at);
    assert.equal(event.name, last.name);
    assert.equal(event.context, last.context);
    const [point, seqno] =
      last.point === "fence:init" ? ["fence:signaled", last.seqno] : ["fence:init", last.seqno! + 1];
    assert.deepEqual([event.point, event.seqno], [point, seqno]);
    last = event;
  }
}

test(
  "what three threads have traced reads whole, while they write and when they were killed (trace-ring.1 to trace-ring.3)",
  LIMIT,
  async (t) => {
    let torn = 0;
    for (let round = 0; round < 4; round++) {
      const { child, folder } = await start(t);
      await until(() => readTrace(folder).length === 3 && readTrace(folder).every(({ events }) => events.length > 100));
      for (let look = 0; look < 3; look++) readTrace(folder).forEach(checkWhole);
      await pause(Math.random() * 50);
      child.kill("SIGKILL");
      await once(child, "exit");
      const files = readTrace(folder);
      assert.deepEqual(
        files.map(({ agent }) => agent.process),
        [child.pid, child.pid, child.pid],
      );
      for (const file of files) {
        checkWhole(file);
        assert.equal(file.hasLeft, false);
        assert.ok(file.lost === 0 || file.events.length >= ROOM - 1, `${file.events.length} of ${file.agent.name}`);
        // Of a ring that was full, one that was being written is in the place of the oldest.
        if (file.lost > 0 && file.events.length < ROOM) torn++;
      }
      assert.deepEqual(readTrace(folder), files);
    }
    t.diagnostic(`${torn} of 12 rings end in an event that was cut off`);
  },
);

test("an observer finds what the agents trace, also the dead, and takes nothing of the domain", LIMIT, async (t) => {
  const { child, folder, where } = await start(t);
  using observer = ProcessDomain.observe(where);
  await until(() => observer.trace().filter(({ events }) => events.length > 0).length === 3);
  const [first] = observer.trace();
  assert.equal(first!.domain, observer.domain);
  assert.equal(first!.path, readTrace(folder)[0]!.path);
  assert.equal(first!.agent.process, child.pid);
  const since = first!.events.at(-1)!.at;
  for (const { events } of observer.trace({ since })) assert.ok(events.every(({ at }) => at >= since));

  // A process of its own that does not trace, to outlive the program.
  using _untraced = await ProcessDomain.connect(where, { trace: false });
  assert.equal(observer.trace().length, 3);
});

test("an observer of a domain that no agent traces finds nothing", (t) => {
  using domain = ProcessDomain.listen(`@dmabuf traced ${pid} ${++places}`, { trace: false });
  void t;
  using handle = domain.allocate(4096).handle();
  using observer = ProcessDomain.observe(pid, { domain: handle.domain });
  assert.deepEqual(observer.trace(), []);
});

test("a damaged file of a folder is refused by its name", LIMIT, async (t) => {
  const { child, folder } = await start(t);
  await until(() => readTrace(folder).length === 3);
  child.kill("SIGKILL");
  await once(child, "exit");
  const { path } = readTrace(folder)[1]!;
  truncateSync(path, 1000);
  const message = `Cannot read the trace ${path}: it has 1000 bytes, its header says`;
  assert.throws(
    () => readTrace(folder),
    (error: Error) => error.message.includes(message),
  );
});
