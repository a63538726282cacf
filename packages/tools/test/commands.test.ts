/** What the commands tell, of real processes. */
import assert from "node:assert/strict";
import { getuid } from "node:process";
import { test } from "node:test";
import {
  dmabuf,
  DMABUF,
  json,
  kill,
  LIMITED,
  run,
  show,
  showTwo,
  stop,
  until,
  type Result,
  type Shown,
} from "./processes.js";

const PAGE = 4096;

interface Agent {
  readonly name: string;
  readonly process?: number;
  readonly state: string;
}

interface Listed {
  readonly domain: string;
  readonly processes: readonly number[];
  readonly agents: readonly Agent[];
  readonly places: readonly string[];
  readonly user: number;
}

interface List {
  readonly version: number;
  readonly domains: readonly Listed[];
  readonly hidden: readonly { readonly process: number; readonly user: number }[];
}

/** An agent as `--json` names it. */
function agent({ pid }: Shown, name: string, state = "live"): Omit<Agent, "state"> & { readonly state: string } {
  return { name, process: pid, state };
}

function withoutIdentity({ name, process, state }: Agent): Agent {
  return { name, ...(process !== undefined && { process }), state };
}

test(
  "ls lists a domain with its processes, agents and places, also of a process that is stopped",
  LIMITED,
  async (t) => {
    const { camera, detector } = await showTwo(t);
    await stop(detector);
    const { version, domains } = await json<List>(0, "ls");
    assert.equal(version, 1);
    const found = domains.find(({ domain }) => domain === camera.domain)!;
    assert.deepEqual(
      { processes: [...found.processes].sort(), agents: found.agents, places: found.places, user: found.user },
      {
        processes: [camera.pid, detector.pid].sort(),
        agents: [agent(camera, "camera"), agent(detector, "detector", "stopped")],
        places: [camera.place],
        user: getuid!(),
      },
    );
    const { code, stdout } = await dmabuf("ls");
    assert.equal(code, 0);
    const line = stdout.split("\n").find((each) => each.startsWith(camera.domain.slice(0, 8)))!;
    assert.ok(line.includes(camera.place) && line.endsWith("camera, detector (stopped)"), line);
  },
);

interface Bufinfo {
  readonly version: number;
  readonly domain: string;
  readonly buffers: readonly {
    readonly name: string;
    readonly size: number;
    readonly exporterName: string;
    readonly exporter: Agent;
    readonly holders: readonly Agent[];
    readonly readers: readonly Agent[];
    readonly writer?: Agent;
    readonly attachments: number;
    readonly fences: readonly { readonly usage: string; readonly fence: string; readonly state: string }[];
  }[];
  readonly kernel: { readonly buffers: readonly object[]; readonly missing?: string };
}

test("bufinfo tells size, name, exporter, holders, writer and fences of each buffer", LIMITED, async (t) => {
  const { camera, detector } = await showTwo(t);
  const { version, domain, buffers, kernel } = await json<Bufinfo>(0, "bufinfo", String(camera.pid));
  assert.deepEqual([version, domain], [1, camera.domain]);
  assert.deepEqual(buffers.map(({ name }) => name).sort(), [
    "frame",
    "frames",
    "frames",
    "frames",
    "frames",
    "texture",
  ]);
  const frame = buffers.find(({ name }) => name === "frame")!;
  assert.equal(frame.size, PAGE);
  assert.deepEqual(withoutIdentity(frame.exporter), agent(camera, "camera"));
  assert.deepEqual(frame.holders.map(withoutIdentity), [agent(camera, "camera"), agent(detector, "detector")]);
  assert.deepEqual(withoutIdentity(frame.writer!), agent(camera, "camera"));
  assert.deepEqual([frame.readers, frame.attachments, frame.fences], [[], 0, []]);
  const texture = buffers.find(({ name }) => name === "texture")!;
  assert.equal(texture.size, 3 * PAGE);
  assert.equal(texture.writer, undefined);
  assert.deepEqual(
    texture.fences.map(({ usage, state }) => [usage, state]),
    [["write", "pending"]],
  );
  assert.ok(Array.isArray(kernel.buffers));

  const { stdout } = await dmabuf("bufinfo", String(camera.pid));
  const lines = stdout.split("\n");
  assert.match(lines[0]!, /INODE +NAME +SIZE +EXPORTER +HOLDERS +READERS +WRITER +ATTACHED +FENCES/);
  const line = lines.find((each) => / frame /.test(each))!;
  assert.ok(line.includes("4.0 KiB") && line.includes(`camera (${camera.pid}), detector (${detector.pid})`), line);
  assert.match(
    lines.find((each) => / texture /.test(each))!,
    /12 KiB .* write \d+:\d+$/,
  );
  assert.match(stdout, new RegExp(`6 buffers, .* in domain ${camera.domain}`));
});

interface Fences {
  readonly version: number;
  readonly fences: readonly {
    readonly id: string;
    readonly name: string;
    readonly owner: Agent;
    readonly awaitedBy: readonly Agent[];
    readonly buffers: readonly { readonly inode: number; readonly usage: string }[];
    readonly overdue: boolean;
    readonly age?: number;
  }[];
}

test(
  "fences tells whose a pending fence is, how old, who waits for it, and which buffers it is in",
  LIMITED,
  async (t) => {
    const { camera, detector } = await showTwo(t);
    await stop(camera);
    const look = async (): Promise<Fences["fences"]> => {
      const { version, fences } = await json<Fences>(0, "fences", camera.place);
      assert.equal(version, 1);
      return fences;
    };
    // What lasts is told after a tenth of a second.
    let fences = await look();
    await until(async () => (fences = await look()).some(({ age }) => age !== undefined));
    assert.equal(fences.length, 1);
    const [fence] = fences;
    assert.equal(fence!.name, "gpu");
    assert.deepEqual(withoutIdentity(fence!.owner), agent(camera, "camera", "stopped"));
    assert.deepEqual(fence!.awaitedBy.map(withoutIdentity), [agent(detector, "detector")]);
    assert.deepEqual(
      fence!.buffers.map(({ usage }) => usage),
      ["write"],
    );
    assert.deepEqual([fence!.overdue, fence!.age! >= 0], [false, true]);

    const { stdout } = await dmabuf("fences", camera.place);
    const [titles, line, total] = stdout.split("\n");
    assert.match(titles!, /^TIMELINE +FENCE +AGE +OWNER +AWAITED BY +BUFFERS$/);
    assert.match(
      line!,
      new RegExp(`^gpu +${fence!.id} .* camera \\(${camera.pid}, stopped\\) .*detector .* texture \\(write\\)$`),
    );
    assert.equal(total, `1 fence pending on 1 timeline in domain ${camera.domain}`);
  },
);

interface Streams {
  readonly domain: string;
  readonly version: number;
  readonly streams: readonly {
    readonly name: string;
    readonly producer: Agent;
    readonly published: number;
    readonly rate: number;
    readonly places: readonly object[];
    readonly consumers: readonly {
      readonly agent: Agent;
      readonly policy: string;
      readonly rate: number;
      readonly behind: number;
      readonly mostBehind: number;
    }[];
  }[];
}

test(
  "streams tells the rates of a producer and its consumer, and that a stopped one holds the producer up",
  LIMITED,
  async (t) => {
    const { camera, detector } = await showTwo(t);
    const look = async (): Promise<Streams["streams"][number]> => {
      const { version, streams } = await json<Streams>(0, "streams", String(camera.pid), "--seconds", "0.5");
      assert.deepEqual([version, streams.length], [1, 1]);
      return streams[0]!;
    };
    // A busy machine may run neither of the two for so long.
    let stream = await look();
    await until(async () => (stream = await look()).rate > 0 && stream.consumers[0]!.rate > 0);
    const { name, producer, places, published } = stream;
    assert.deepEqual([name, places.length, published > 0], ["frames", 4, true]);
    assert.deepEqual(withoutIdentity(producer), agent(camera, "camera"));
    assert.deepEqual(
      stream.consumers.map((consumer) => [withoutIdentity(consumer.agent), consumer.policy]),
      [[agent(detector, "detector"), "block"]],
    );

    await stop(detector);
    await until(async () => (stream = await look()).rate === 0);
    const [consumer] = stream.consumers;
    assert.deepEqual([consumer!.agent.state, consumer!.rate], ["stopped", 0]);
    assert.ok(consumer!.behind >= 3 && consumer!.mostBehind >= consumer!.behind, String(consumer!.behind));
    const { stdout } = await dmabuf("streams", String(camera.pid), "--seconds", "0.1");
    assert.match(stdout, /^STREAM +AGENT +ROLE +FRAMES +BEHIND +MOST +LATENCY +KEEPS/);
    assert.match(
      stdout,
      new RegExp(`frames +camera \\(${camera.pid}\\) +producer .* 64 B; \\d+ published; ring of 4: `),
    );
    assert.match(stdout, new RegExp(`frames +detector \\(${detector.pid}, stopped\\) +block +0.0/s`));
  },
);

test("streams --watch prints one object after another, and says when the domain has ended", LIMITED, async (t) => {
  const camera = await show(t, "camera");
  const args = [DMABUF, "streams", String(camera.pid), "--seconds", "0.05", "--watch", "--json"];
  let written = "";
  const watching = run(process.execPath, args, {}, (text) => (written = text));
  await until(() => written.split("\n").length > 3);
  await kill(camera);
  const { code, stdout, stderr } = await watching;
  assert.deepEqual([code, stderr], [0, `Domain ${camera.domain} has ended: no agent lives any more.\n`]);
  for (const line of stdout.trimEnd().split("\n")) {
    const { domain, streams } = JSON.parse(line) as Streams;
    assert.deepEqual([domain, streams.map(({ name }) => name)], [camera.domain, ["frames"]]);
  }
});

interface Explained {
  readonly version: number;
  readonly domain: string;
  readonly stuck: boolean;
  readonly explanation: { readonly sentence: string; readonly root?: Agent };
}

test("explain names the agent at the root, and ends with 4 when that is stopped", LIMITED, async (t) => {
  const { camera, detector } = await showTwo(t);
  const args = ["explain", "frame", "--domain", String(detector.pid), "--limit", "1000"];
  const live = await json<Explained>(0, ...args);
  assert.deepEqual([live.version, live.domain, live.stuck], [1, camera.domain, false]);
  assert.match(live.explanation.sentence, /\("camera"\) holds a write access of buffer "frame"/);
  assert.equal(live.explanation.root?.process, camera.pid);

  await stop(camera);
  const stopped = await json<Explained>(4, ...args);
  assert.deepEqual([stopped.stuck, stopped.explanation.root?.state], [true, "stopped"]);
  const { code, stdout } = await dmabuf("explain", "-d", camera.domain.slice(0, 12));
  assert.equal(code, 4);
  assert.match(stdout, /buffer "frame", for which .*"detector".* waits\n {2}.*"camera".*which is stopped/);
});

test("what a live agent has held up for longer than the limit is stuck", LIMITED, async (t) => {
  const { camera } = await showTwo(t);
  const explain = async (limit: string): Promise<Result> =>
    dmabuf("explain", "buffer:texture", "-d", String(camera.pid), "--limit", limit);
  assert.equal((await explain("1000")).code, 0);
  await until(async () => (await explain("0.05")).code === 4);
});

test("explain says that nothing of a name is there, and takes a stream and a buffer's number", LIMITED, async (t) => {
  const { camera } = await showTwo(t);
  const where = ["-d", String(camera.pid)];
  const nothing = await dmabuf("explain", "nothing", ...where);
  assert.deepEqual([nothing.code, nothing.stdout], [3, ""]);
  assert.match(nothing.stderr, /^dmabuf: In domain [0-9a-f]{32} nothing is called "nothing"/);
  const { buffers } = await json<{ buffers: { name: string; inode: number }[] }>(0, "bufinfo", String(camera.pid));
  const { inode } = buffers.find(({ name }) => name === "frame")!;
  const byNumber = await json<Explained>(0, "explain", String(inode), ...where, "--limit", "1000");
  assert.match(byNumber.explanation.sentence, /write access of buffer "frame"/);
  assert.equal((await dmabuf("explain", "stream:frames", ...where, "--limit", "1000")).code, 0);
});
