/** What an observer's snapshot has of a domain whose contents are known, and whose processes do nothing for it. */
import assert from "node:assert/strict";
import { fork, spawnSync, type ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process, { getuid } from "node:process";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { audioFormat, imageFormat, tensorFormat } from "../../src/index.js";
import { ProcessDomain, type DomainSnapshot } from "../../src/node/index.js";
import { until } from "../agents.js";
import { listen } from "../process/holder-process.js";
import { mappedFiles, openFiles } from "../process/open-files.js";
import type { Scene } from "./snapshot-program.js";

const LIMITED = { timeout: 120_000 };
const NOBODY = 65534;
const PROGRAM = fileURLToPath(new URL("snapshot-program.js", import.meta.url));

function start(t: TestContext, role: string, place: string): ChildProcess {
  const child = fork(PROGRAM, [role, place]);
  t.after(() => child.kill("SIGKILL"));
  return child;
}

function abstractPlace(): string {
  return `@dmabuf snapshot ${randomUUID()}`;
}

/** Stops a process; it does nothing from then on. */
async function stop({ pid }: ChildProcess): Promise<void> {
  process.kill(pid!, "SIGSTOP");
  await until(() => /\) T /.test(readFileSync(`/proc/${pid}/stat`, "latin1")));
}

interface StoppedScene extends Scene {
  readonly place: string;
  readonly maker: ChildProcess;
  readonly holder: ChildProcess;
}

/** A domain of two processes that are stopped, whose contents are those of the program. */
async function stoppedScene(t: TestContext): Promise<StoppedScene> {
  const place = join(mkdtempSync(join(tmpdir(), "dmabuf-")), "place");
  t.after(() => rmSync(join(place, ".."), { recursive: true, force: true }));
  const maker = start(t, "maker", place);
  const [scene] = (await once(maker, "message")) as [Scene];
  const holder = start(t, "holder", place);
  holder.send(scene.handles);
  await once(holder, "message");
  maker.send("joined");
  await once(maker, "message");
  // What lasts is told after a tenth of a second.
  using observer = ProcessDomain.observe(place);
  await until(() => {
    const { waits, copies } = observer.snapshot();
    const told = waits.filter(({ since }) => since !== undefined).map(({ does }) => does);
    const expected = ["awaits-fence", "awaits-user-fence", "fills-loan", "locks", "uses-frame"] as const;
    return copies.length === 1 && expected.every((does) => told.includes(does));
  });
  await stop(maker);
  await stop(holder);
  return { ...scene, place, maker, holder };
}

/** The file of a process's control segment: all bytes, and how many blocks of memory it takes. */
function controlOf({ pid }: ChildProcess): { readonly bytes: Buffer; readonly blocks: number } {
  const folder = `/proc/${pid}/fd`;
  const file = readdirSync(folder).find((fd) => readlinkSync(`${folder}/${fd}`).startsWith("/memfd:dmabuf control"));
  return { bytes: readFileSync(`${folder}/${file}`), blocks: statSync(`${folder}/${file}`).blocks };
}

/** As JSON carries it, by which all of it is plain data. */
function snapshotAt(place: string | number): DomainSnapshot {
  using observer = ProcessDomain.observe(place);
  const snapshot = observer.snapshot();
  assert.deepEqual(JSON.parse(JSON.stringify(snapshot)), snapshot);
  assert.deepEqual(structuredClone(snapshot), snapshot);
  return snapshot;
}

test(
  "all that two stopped processes have is in a snapshot, by one look that changes nothing: domain-observer.1, domain-observer.2",
  LIMITED,
  async (t) => {
    const { place, domain, inode, maker, holder } = await stoppedScene(t);
    const before = controlOf(maker);
    const snapshot = snapshotAt(place);
    assert.deepEqual(controlOf(maker), before, "no byte and no page has changed");
    const { agents, buffers, timelines, fences, streams, syncobjs, userFences, waits, copies, tables } = snapshot;
    const [makes, holds] = agents.map(({ identity }) => identity) as [number, number];

    await t.test("its agents", () => {
      assert.equal(snapshot.domain, domain);
      assert.ok(Math.abs(snapshot.wallClock - Date.now()) < 60_000);
      assert.deepEqual(agents, [
        { identity: makes, name: "maker", process: maker.pid, state: "stopped" },
        { identity: holds, name: "holder", process: holder.pid, state: "stopped" },
      ]);
    });

    const gpu = timelines.find(({ name }) => name === "gpu")!;
    const [fourth, fifth] = [`${gpu.context}:4`, `${gpu.context}:5`];

    await t.test("timelines, with the times of what has completed", () => {
      const { driverName, kind, owner, completed, timeLimit, lastTimes } = gpu;
      const expected = { driverName: "virtual", kind: "timeline", owner: makes, completed: 3, timeLimit: 120_000 };
      assert.deepEqual({ driverName, kind, owner, completed, timeLimit }, expected);
      assert.deepEqual(
        lastTimes.map(({ seqno, error }) => [seqno, error]),
        [
          [3, "EIO"],
          [2, undefined],
          [1, undefined],
        ],
      );
      assert.equal(lastTimes[1]!.at, lastTimes[2]!.at, "these two have completed together");
      assert.ok(lastTimes.every(({ at }) => at > 0 && at < snapshot.at));
      const kinds = timelines.map(({ name, kind: other }) => [name, other]);
      assert.deepEqual(new Map(kinds as [string, string][]).get("steps"), "software");
      assert.deepEqual(new Map(kinds as [string, string][]).get("jobs"), "queue");
      assert.equal(timelines.find(({ name }) => name === "steps")!.completed, 4);
    });

    await t.test("buffers, with their fences by usage", () => {
      const frame = buffers.find((buffer) => buffer.inode === inode)!;
      const { name, size, holders, exporter, kind, lockOwner, pendingFences, fences: entries, moves, readers } = frame;
      assert.deepEqual(
        { name, size, exporter, kind, lockOwner, pendingFences, moves, readers },
        ...[
          {
            name: "frame",
            size: 8192,
            exporter: makes,
            kind: "plain",
            lockOwner: makes,
            pendingFences: 2,
            moves: 0,
            readers: [],
          },
        ],
      );
      assert.deepEqual(holders, [makes, holds]);
      assert.deepEqual(entries, [
        { usage: "write", fence: fourth, state: "pending" },
        { usage: "read", fence: fifth, state: "pending" },
      ]);
    });

    await t.test("fences that are not over, and who waits for them", () => {
      const byId = new Map(fences.map((fence) => [fence.id, fence]));
      const first = byId.get(fourth)!;
      assert.deepEqual(
        {
          owner: first.owner,
          overdue: first.overdue,
          buffers: first.buffers,
          syncobjs: first.syncobjs,
          timeline: first.timeline,
        },
        {
          owner: makes,
          overdue: false,
          buffers: [{ inode, usage: "write" }],
          syncobjs: [syncobjs[0]!.slot],
          timeline: gpu.slot,
        },
      );
      const promise = fences.find(({ name }) => name === "promise")!;
      assert.deepEqual([promise.owner, promise.awaitedBy, promise.timeline], [makes, [holds], undefined]);
      assert.ok(promise.since! > 0 && promise.since! < snapshot.at);
      assert.ok(
        fences.some(({ name, since }) => name === "jobs" && since !== undefined),
        "the job runs",
      );
      assert.deepEqual(
        syncobjs.map(({ holders, points }) => ({ holders, points })),
        [{ holders: [makes, holds], points: [{ fences: [fourth], any: false }] }],
      );
      const [go] = userFences;
      assert.deepEqual([go!.name, go!.signaled, go!.holders, go!.awaitedBy], ["go", false, [makes, holds], [holds]]);
    });

    await t.test("streams, with their formats, places and consumers", () => {
      const [camera, sound, weights] = ["camera", "sound", "weights"].map((name) =>
        streams.find((one) => one.name === name)!,
      );
      assert.deepEqual(camera!.format, imageFormat("NV12", 64, 32));
      assert.deepEqual(sound!.format, audioFormat({ channels: 64, rate: 48_000, samples: 128, layout: "planar" }));
      assert.deepEqual(weights!.format, tensorFormat([2, 3, 4], "float32"));
      assert.deepEqual([camera!.producer, camera!.published, camera!.producerWaits], [makes, 2, false]);
      assert.deepEqual(camera!.places.map(({ state, frame }) => `${state} ${frame ?? ""}`.trim()).sort(), [
        "filling",
        "free",
        "held 0",
        "published 1",
      ]);
      const [plain, member] = camera!.consumers;
      assert.deepEqual(
        [plain!.agent, plain!.policy, plain!.cursor, plain!.behind, plain!.group],
        [holds, "block", 1, 1, undefined],
      );
      assert.deepEqual(
        [member!.agent, member!.policy, member!.group, member!.behind],
        [holds, "drop-oldest", "workers", 2],
      );
      assert.deepEqual(camera!.groups, [
        { name: "workers", policy: "drop-oldest", missed: 0, behind: 2, members: [holds] },
      ]);
      for (const [place, { inode: number }] of camera!.places.entries()) {
        const buffer = buffers.find((each) => each.inode === number)!;
        assert.deepEqual(buffer.stream, { stream: camera!.slot, place });
      }
      const held = camera!.places.find(({ state }) => state === "held")!;
      assert.deepEqual(buffers.find((each) => each.inode === held.inode)!.readers, [holds]);
      const filled = camera!.places.find(({ state }) => state === "filling")!;
      assert.equal(buffers.find((each) => each.inode === filled.inode)!.writer, makes);
    });

    await t.test("what the agents hold and wait for, what was copied, and how full the tables are", () => {
      const said = new Map(waits.map((wait) => [wait.does, wait]));
      assert.deepEqual(said.get("locks")!.about, { kind: "lock", buffer: inode });
      assert.equal(said.get("locks")!.text, 'holds the lock of buffer "frame"');
      assert.equal(said.get("awaits-user-fence")!.agent, holds);
      assert.match(said.get("awaits-fence")!.text, /^waits for fence \d+:\d+ of timeline "promise"$/);
      assert.equal(said.get("uses-frame")!.agent, holds);
      assert.equal(said.get("fills-loan")!.agent, makes);
      const { format } = streams.find(({ name }) => name === "camera")!;
      assert.deepEqual(copies, [{ agent: holds, why: "frame.copy()", bytes: format!.size, times: 1 }]);
      const used = new Map(tables.map((table) => [table.name, table]));
      assert.deepEqual(used.get("agents"), { name: "agents", used: 2, most: 2, slots: 64 });
      assert.equal(used.get("buffers")!.used, buffers.length);
      assert.equal(used.get("copies")!.used, 1);
      assert.equal(used.get("orders")!.slots, 0);
    });

    await t.test("only later completions, if they alone are wanted", () => {
      using observer = ProcessDomain.observe(place);
      const times = observer
        .snapshot({ since: gpu.lastTimes[1]!.at })
        .timelines.find(({ name }) => name === "gpu")!.lastTimes;
      assert.deepEqual(times, [gpu.lastTimes[0]]);
    });

    await t.test("the bytes of a buffer, whole and in part", () => {
      const files = [openFiles(), mappedFiles()];
      using observer = ProcessDomain.observe(place);
      const expected = Uint8Array.from({ length: 8192 }, (_, i) => i % 251);
      assert.deepEqual(observer.bytesOf(inode), expected);
      assert.deepEqual(observer.bytesOf(inode, { offset: 4000, length: 200 }), expected.slice(4000, 4200));
      assert.throws(() => observer.bytesOf(inode, { offset: 8000, length: 200 }), {
        name: "RangeError",
        message: /"length" must be/,
      });
      assert.throws(() => observer.bytesOf(inode, { offset: 9000 }), { name: "RangeError" });
      assert.throws(() => observer.bytesOf(10_000), { code: "ENOENT" });
      observer.close();
      assert.throws(() => observer.bytesOf(inode), { code: "EBADF" });
      assert.throws(() => observer.snapshot(), { code: "EBADF" });
      assert.deepEqual([openFiles(), mappedFiles()], files);
      assert.deepEqual(controlOf(maker).bytes, before.bytes);
    });

    await t.test("in the list of all domains, with its place", () => {
      const listed = ProcessDomain.domains().domains.find((each) => each.domain === domain)!;
      assert.deepEqual(
        listed.processes,
        [maker.pid, holder.pid].sort((a, b) => a! - b!),
      );
      assert.deepEqual(listed.places, [place]);
      assert.equal(listed.user, getuid!());
      assert.equal(listed.refused, undefined);
      assert.deepEqual(
        listed.agents.map(({ name, state }) => [name, state]),
        [
          ["maker", "stopped"],
          ["holder", "stopped"],
        ],
      );
    });

    await t.test("what a process has left that was killed", async () => {
      const exit = once(maker, "exit");
      maker.kill("SIGKILL");
      await exit;
      const after = snapshotAt(holder.pid!);
      assert.equal(after.agents.find(({ identity }) => identity === makes)!.state, "dead");
      assert.equal(after.buffers.find((buffer) => buffer.inode === inode)!.lockOwner, makes);
      using observer = ProcessDomain.observe(holder.pid!);
      assert.equal(observer.bytesOf(inode, { offset: 5, length: 1 })[0], 5, "the holder has the memory still");
    });
  },
);

test("a thousand buffers with two thousand fences are read at once, each as it is", LIMITED, async (t) => {
  const place = abstractPlace();
  const many = start(t, "many", place);
  await once(many, "message");
  await stop(many);
  using observer = ProcessDomain.observe(place);
  const started = performance.now();
  const { buffers, fences, timelines } = observer.snapshot();
  t.diagnostic(`${(performance.now() - started).toFixed(1)} ms, and again`);
  const again = performance.now();
  for (let i = 0; i < 5; i++) observer.snapshot();
  t.diagnostic(`${((performance.now() - again) / 5).toFixed(1)} ms`);
  assert.deepEqual([buffers.length, fences.length, timelines.length], [1000, 2000, 50]);
  for (const [i, { name, fences: entries }] of buffers.entries()) {
    assert.equal(name, `buffer ${i}`);
    const line = timelines[Math.floor((2 * i) / 40)]!;
    const seqno = ((2 * i) % 40) + 1;
    assert.deepEqual(
      entries.map(({ usage, fence }) => [usage, fence]),
      [
        ["write", `${line.context}:${seqno}`],
        ["read", `${line.context}:${seqno + 1}`],
      ],
    );
  }
  assert.ok(fences.every((fence) => fence.buffers.length === 1 && fence.timeline !== undefined));
});

test("storage that is not one memory file is refused with the reason", LIMITED, (t) => {
  const { domain, place } = listen(t);
  const parts = [domain.createMemory(65_536), domain.createMemory(65_536)];
  using buffer = domain.export(parts);
  using handle = buffer.handle();
  using observer = ProcessDomain.observe(place, { domain: handle.domain });
  assert.throws(() => observer.bytesOf(buffer.inode), { code: "EOPNOTSUPP", message: /not one memory file/ });
});

test("part of a memory file, and storage that was moved, are found where they are", LIMITED, async (t) => {
  const { domain, place } = listen(t);
  const [memory, later] = [domain.createMemory(65_536), domain.createMemory(65_536)];
  using buffer = domain.export([{ memory: memory.memory, offset: 8192, length: 4096 }]);
  using handle = buffer.handle();
  {
    using access = await buffer.access("write");
    access.bytes.fill(9);
  }
  using observer = ProcessDomain.observe(place, { domain: handle.domain });
  assert.deepEqual(observer.bytesOf(buffer.inode), new Uint8Array(4096).fill(9));
  await buffer.move([{ memory: later.memory, offset: 4096, length: 4096 }]);
  {
    using access = await buffer.access("write");
    access.bytes.fill(8);
  }
  assert.deepEqual(observer.bytesOf(buffer.inode), new Uint8Array(4096).fill(8));
  assert.equal(observer.snapshot().buffers.find(({ inode }) => inode === buffer.inode)!.moves, 1);
});

test("domains that are made and end while they are looked for are in no one's way", LIMITED, async (t) => {
  const { domain } = listen(t);
  using handle = domain.allocate(4096).handle();
  let started = 0;
  let running = 0;
  const again = (): void => {
    if (started === 12) return;
    started++;
    running++;
    start(t, "brief", abstractPlace()).once("exit", () => (running--, again()));
  };
  again();
  again();
  let looks = 0;
  while (running > 0) {
    const { domains } = ProcessDomain.domains();
    assert.ok(domains.some((each) => each.domain === handle.domain));
    assert.ok(domains.every(({ domain: name, refused }) => name !== "" || refused !== undefined));
    looks++;
    await new Promise((turn) => setImmediate(turn));
  }
  assert.ok(looks > 0);
});

test(
  "another user finds processes that are hidden, and is told which right is missing",
  { ...LIMITED, skip: getuid?.() === 0 ? false : "only root can start a process of another user" },
  (t) => {
    listen(t);
    const code = `
      const { ProcessDomain } = await import(${JSON.stringify(new URL("../../src/node/index.js", import.meta.url).href)});
      const { domains, hidden } = ProcessDomain.domains();
      let refusal;
      try { ProcessDomain.observe(${process.pid}); } catch (error) { refusal = String(error); }
      console.log(JSON.stringify({ domains, hidden, refusal }));`;
    const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", code], {
      ...{ uid: NOBODY, gid: NOBODY, encoding: "utf8", timeout: 100_000, cwd: "/" },
    });
    const { domains, hidden, refusal } = JSON.parse(stdout || `{"refusal":${JSON.stringify(stderr)}}`) as {
      domains: unknown[];
      hidden: { process: number; user: number; command: string }[];
      refusal: string;
    };
    assert.match(refusal, /^DmaBufError: EACCES: Cannot observe .*needs the rights of ptrace.*CAP_SYS_PTRACE/);
    assert.deepEqual(domains, []);
    const own = hidden.find((each) => each.process === process.pid);
    assert.deepEqual([own?.user, typeof own?.command], [0, "string"]);
  },
);
