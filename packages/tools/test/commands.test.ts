/** The commands that look once, against real processes. */
import assert from "node:assert/strict";
import { getuid } from "node:process";
import { test } from "node:test";
import { dmabuf, DMABUF, LIMITED, run, show, showTwo, stop, until, type Result, type Shown } from "./processes.js";

const NOBODY = 65534;
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

/** What a command has printed, which must have ended well. */
async function json<T>(code: number, ...args: readonly string[]): Promise<T> {
  const result = await dmabuf(...args, "--json");
  assert.equal(result.code, code, result.stderr);
  return JSON.parse(result.stdout) as T;
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
    assert.match(stdout, new RegExp(`frames +detector \\(${detector.pid}, stopped\\) +block +0.0/s`));
  },
);

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

test(
  "a domain is named by its id's beginning, a process or a place, and what names none is said",
  LIMITED,
  async (t) => {
    const { camera, detector } = await showTwo(t);
    const names = [camera.domain.slice(0, 10), camera.domain, String(camera.pid), String(detector.pid), camera.place];
    for (const name of names) {
      const { domain } = await json<{ domain: string }>(0, "fences", name);
      assert.equal(domain, camera.domain, name);
    }
    for (const [name, says] of [
      ["2147483647", /there is no such process/],
      ["@dmabuf nothing listens here", /no process listens there/],
      ["xyz", /No domain's id begins with "xyz"/],
      ["/no/such/socket", /ENOENT|no such file/i],
    ] as const) {
      const { code, stdout, stderr } = await dmabuf("fences", name);
      assert.deepEqual([code, stdout], [3, ""], name);
      assert.match(stderr, says);
    }
  },
);

test("of several domains of a process each can be named, and without that they are listed", LIMITED, async (t) => {
  const twice = await show(t, "twice");
  const { code, stdout, stderr } = await dmabuf("bufinfo", String(twice.pid));
  assert.deepEqual([code, stdout], [2, ""]);
  assert.match(stderr, /may be 2 domains: say which one/);
  for (const domain of twice.ready.domains) {
    assert.ok(stderr.includes(domain.slice(0, 8)), stderr);
    assert.equal((await json<Bufinfo>(0, "bufinfo", domain)).domain, domain);
  }
});

const IS_ROOT = getuid?.() === 0;

/** Runs a command as a user who may not look into others' processes. */
async function asNobody(...args: readonly string[]): Promise<Result> {
  const user = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"];
  return run("setpriv", [...user, process.execPath, DMABUF, ...args]);
}

test(
  "another user's ls and explain are refused with the right that is missing",
  { ...LIMITED, skip: IS_ROOT ? false : "only root can become another user" },
  async (t) => {
    const { camera } = await showTwo(t);
    const listed = await asNobody("ls", "--json");
    const { domains, hidden } = JSON.parse(listed.stdout) as List;
    assert.equal(
      domains.find(({ domain }) => domain === camera.domain),
      undefined,
    );
    assert.ok(hidden.some(({ process, user }) => process === camera.pid && user === 0));

    const text = await asNobody("ls");
    assert.equal(text.code, listed.code);
    assert.match(
      text.stderr,
      /may not be looked into by user nobody: of .*root \(\d+\).*rights of ptrace.*CAP_SYS_PTRACE/s,
    );

    for (const args of [
      ["explain", "-d", String(camera.pid)],
      ["explain", "frame", "-d", camera.place],
      ["top", "--once", String(camera.pid)],
    ]) {
      const { code, stdout, stderr } = await asNobody(...args);
      assert.deepEqual([code, stdout], [1, ""], stderr);
      assert.match(stderr, /^dmabuf: Cannot observe .* rights of ptrace.*CAP_SYS_PTRACE/);
    }
  },
);

/** Runs a shell in which no other process is seen. */
async function alone(script: string): Promise<Result> {
  return run("unshare", ["--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c", script]);
}

const CAN_BE_ALONE = IS_ROOT && (await alone("true")).code === 0;

test(
  "where there is no domain, each command says so and ends with 3; where there is one, none needs to be named",
  { ...LIMITED, skip: CAN_BE_ALONE ? false : "no namespace of processes can be made here" },
  async () => {
    const main = `${process.execPath} ${DMABUF}`;
    for (const command of ["ls", "bufinfo", "fences", "streams", "top --once", "explain"]) {
      const { code, stdout, stderr } = await alone(`${main} ${command}`);
      assert.deepEqual([code, stdout], [3, ""], command);
      assert.match(stderr, /^dmabuf: No process that may be looked into is in a domain/);
    }
    const empty = await alone(`${main} ls --json`);
    assert.deepEqual([empty.code, JSON.parse(empty.stdout)], [3, { version: 1, domains: [], hidden: [] }]);
    const program = `import("dmabuf/node").then(({ ProcessDomain }) => {
      const domain = ProcessDomain.create({ name: "lonely" });
      setInterval(() => domain, 1e6);
    })`;
    const makes = `${process.execPath} --input-type=module -e '${program}' & until ${main} ls > /dev/null 2>&1; do sleep 0.1; done`;
    const script = `${makes}; ${main} bufinfo && ${main} ls`;
    const one = await alone(script);
    assert.equal(one.code, 0, one.stderr);
    assert.match(one.stdout, /^0 buffers, 0 B, in domain [^]*lonely/);
  },
);

test(
  "a wrong command line ends with 2 and says what is right; each help ends with 0 and tells the codes",
  LIMITED,
  async () => {
    for (const [args, says] of [
      [["bufinfo", "--nonsense"], /unknown option '--nonsense'/],
      [["fences", "one", "two"], /too many arguments/],
      [["explain", "--limit", "soon"], /number of seconds from 0.05/],
      [["explain", "--domain", ""], /It is empty/],
      [["top", "--view", "weather"], /choices are buffers, streams, fences, agents/],
      [["top", "--sort", "weather"], /has no column "weather": there are INODE, NAME/],
      [["completion", "powershell"], /choices are bash, zsh, fish/],
      [["nonsense"], /There is no command "nonsense"/],
      [["doctor", "--nonsense"], /doctor has no option/],
    ] as const) {
      const { code, stdout, stderr } = await dmabuf(...args);
      assert.deepEqual([code, stdout], [2, ""], args.join(" "));
      assert.match(stderr, says);
    }
    for (const command of ["ls", "bufinfo", "fences", "streams", "top", "explain", "completion"]) {
      const { code, stdout } = await dmabuf(command, "--help");
      assert.equal(code, 0);
      assert.match(stdout, /^Usage: dmabuf [^]*Exit codes: 0 done; 1 failed; 2 /);
    }
  },
);

test("the reader of the output may go: nothing is said, and the command ends", LIMITED, async (t) => {
  const { pid } = await show(t, "camera");
  const main = `${process.execPath} ${DMABUF}`;
  const script = (command: string): string => `${main} ${command} ${pid} | head -n 1; echo "\${PIPESTATUS[0]}"`;
  for (const command of [
    "top --batch --interval 0.05",
    "streams --watch --seconds 0.05",
    "top --json --interval 0.05",
  ]) {
    const { stdout, stderr } = await run("bash", ["-c", script(command)]);
    const [first, status] = stdout.trimEnd().split("\n");
    assert.ok(first!.length > 0);
    assert.deepEqual([status, stderr], ["141", ""], command);
  }
});

test("no colour goes to a file or pipe, unless FORCE_COLOR asks for it", LIMITED, async (t) => {
  const { camera, detector } = await showTwo(t);
  await stop(detector);
  const args = [DMABUF, "bufinfo", String(camera.pid)];
  assert.ok(!(await run(process.execPath, args)).stdout.includes("\u001b"));
  const yellow = `\u001b[33mdetector (${detector.pid}, stopped)\u001b[39m`;
  assert.ok((await run(process.execPath, args, { FORCE_COLOR: "1" })).stdout.includes(yellow));
});
