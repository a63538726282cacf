/** What a process sees of a domain that it is not in, and whose processes do nothing for it. */
import assert from "node:assert/strict";
import { fork, type ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process, { getuid } from "node:process";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { LAYOUT_VERSION } from "../../src/domain/layout.js";
import { Domain, type BufferHandleData, type BufferStatistics } from "../../src/index.js";
import { ProcessDomain, type DomainObserver } from "../../src/node/index.js";
import {
  addSeals,
  closeDescriptor,
  createMemoryFile,
  createPipe,
  pageSize,
  SEAL,
  setFileLength,
  writeDescriptor,
} from "../../src/node/system-calls/index.js";
import { until } from "../agents.js";
import { listen } from "../process/holder-process.js";
import { mappedFiles, openFiles } from "../process/open-files.js";

const LIMITED = { timeout: 120_000 };
const NOBODY = 65534;
const PROGRAM = fileURLToPath(new URL("observed-program.js", import.meta.url));

/** A domain that there is not. */
const ANOTHER = "0123456789abcdef".repeat(2);

type Then = "hang" | "go on" | "threads" | "wait";

/** A process of a domain. */
class Program {
  readonly child: ChildProcess;
  #handle: BufferHandleData | undefined;

  private constructor(t: TestContext, args: readonly string[]) {
    this.child = fork(PROGRAM, args);
    t.after(() => this.child.kill("SIGKILL"));
  }

  static async start(
    t: TestContext,
    role: "make" | "join",
    place: string,
    name: string,
    then: Then = "hang",
  ): Promise<Program> {
    const program = new Program(t, [role, place, name, then]);
    [program.#handle] = (await once(program.child, "message")) as [BufferHandleData];
    return program;
  }

  /** Of "frame", if it has made the domain. */
  get handle(): BufferHandleData {
    return this.#handle!;
  }

  get domain(): string {
    return this.handle.domain;
  }

  get pid(): number {
    return this.child.pid!;
  }

  async kill(): Promise<void> {
    const exit = once(this.child, "exit");
    this.child.kill("SIGKILL");
    await exit;
  }
}

function abstractPlace(): string {
  return `@dmabuf observing ${randomUUID()}`;
}

function newFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "dmabuf-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Two processes that hang in one domain: "first" has made it and writes "frame". */
async function hungDomain(
  t: TestContext,
  place = abstractPlace(),
): Promise<{ first: Program; second: Program; place: string }> {
  const first = await Program.start(t, "make", place, "first", "go on");
  const second = await Program.start(t, "join", place, "second");
  first.child.kill("SIGSTOP");
  await untilStopped(first);
  return { first, second, place };
}

async function untilStopped({ pid }: Program): Promise<void> {
  await until(() => /\) T /.test(readFileSync(`/proc/${pid}/stat`, "latin1")));
}

/** The file of a process's control segment: all bytes, and how many blocks of memory it takes. */
function controlOf({ pid }: Program): { readonly bytes: Buffer; readonly blocks: number } {
  const folder = `/proc/${pid}/fd`;
  const file = readdirSync(folder).find((fd) => readlinkSync(`${folder}/${fd}`).startsWith("/memfd:dmabuf control"));
  return { bytes: readFileSync(`${folder}/${file}`), blocks: statSync(`${folder}/${file}`).blocks };
}

/** The buffer that "first" writes. */
function frameOf(observer: DomainObserver): BufferStatistics {
  return observer.statistics().find(({ name }) => name === "frame")!;
}

/** All that there is to look at. */
function look(observer: DomainObserver): unknown[] {
  return [observer.domain, observer.agents, observer.isEnded, observer.statistics(), observer.explain()];
}

test(
  "a domain of which one process hangs and the other is stopped is seen, by both processes and by its place: domain-observer.2",
  LIMITED,
  async (t) => {
    const { first, second, place } = await hungDomain(t);
    for (const where of [first.pid, second.pid, place]) {
      using observer = ProcessDomain.observe(where);
      assert.equal(observer.domain, first.domain);
      assert.deepEqual(observer.agents, [
        { name: "first", process: first.pid, state: "stopped" },
        { name: "second", process: second.pid, state: "live" },
      ]);
      assert.equal(observer.isEnded, false);
      const { name, size, writer, holders, readers } = frameOf(observer);
      assert.deepEqual(
        { name, size, writer, holders },
        { name: "frame", size: 4096, writer: "first", holders: ["first"] },
      );
      assert.deepEqual(readers, []);
    }
  },
);

test("a domain that listens at a path is found by it, and by another way to it", LIMITED, async (t) => {
  const folder = newFolder(t);
  const { first } = await hungDomain(t, join(folder, "place"));
  for (const where of [join(folder, "place"), `${folder}/../${folder.split("/").at(-1)}/place`]) {
    using observer = ProcessDomain.observe(where);
    assert.equal(observer.domain, first.domain);
  }
});

test(
  "no byte of the domain changes, no page of its memory comes in, and no agent's slot is taken: domain-observer.1",
  LIMITED,
  async (t) => {
    const { first, second } = await hungDomain(t);
    const before = controlOf(first);
    {
      using observer = ProcessDomain.observe(second.pid);
      for (let i = 0; i < 3; i++) look(observer);
      assert.deepEqual(controlOf(first), before);
    }
    assert.deepEqual(controlOf(first), before);
  },
);

test("nothing is left of an observer after its close, nor of a look that was refused", LIMITED, async (t) => {
  const { first, place } = await hungDomain(t);
  ProcessDomain.observe(place).close();
  const before = [openFiles(), mappedFiles()];
  const observer = ProcessDomain.observe(place);
  look(observer);
  observer.close();
  observer.close();
  assert.throws(() => ProcessDomain.observe(first.pid, { domain: ANOTHER }), { code: "EINVAL" });
  assert.deepEqual([openFiles(), mappedFiles()], before);
  for (const act of ["domain", "agents", "isEnded"] as const) assert.throws(() => observer[act], { code: "EBADF" });
  assert.throws(() => observer.statistics(), { code: "EBADF" });
  assert.throws(() => observer.explain(), { code: "EBADF" });
});

test(
  "a process that is killed while it is looked at is dead at the next look, and what it has left is seen: domain-observer.3",
  LIMITED,
  async (t) => {
    const { first, second } = await hungDomain(t);
    using observer = ProcessDomain.observe(second.pid);
    await second.kill();
    assert.deepEqual(observer.agents, [
      { name: "first", process: first.pid, state: "stopped" },
      { name: "second", process: undefined, state: "dead" },
    ]);
    assert.equal(observer.isEnded, false);
    await first.kill();
    assert.deepEqual(
      observer.agents.map(({ state }) => state),
      ["dead", "dead"],
    );
    assert.equal(observer.isEnded, true);
    // No agent is left that would give it back.
    assert.equal(frameOf(observer).writer, "first");
    assert.throws(() => ProcessDomain.observe(first.pid), { code: "ESRCH", message: /no such process/ });
  },
);

test("threads that hang are agents of one process", LIMITED, async (t) => {
  const place = abstractPlace();
  const { pid } = await Program.start(t, "make", place, "main", "threads");
  using observer = ProcessDomain.observe(pid);
  assert.deepEqual(observer.agents, [
    { name: "main", process: pid, state: "live" },
    { name: "main's thread", process: pid, state: "live" },
  ]);
});

test(
  "one's own domain can be seen from outside; an invited thread shows as its inviter's until it comes, and one that left is not listed",
  LIMITED,
  (t) => {
    const { domain, place } = listen(t);
    using observer = ProcessDomain.observe(place);
    const own = (name: string) => ({ name, process: process.pid, state: "live" });
    const invitation = domain.invite({ name: "invited" });
    assert.deepEqual(observer.agents, [own("here"), own("invited")]);
    const joined = ProcessDomain.join(invitation);
    assert.deepEqual(observer.agents, [own("here"), own("invited")]);
    joined.close();
    assert.deepEqual(observer.agents, [own("here")]);
  },
);

test("of several domains of a process the error lists each with its agents, and an option names one", LIMITED, (t) => {
  const { domain: one, place } = listen(t, { name: "one" });
  const { domain: two } = listen(t, { name: "two" });
  const names = [one, two].map((domain) => {
    using buffer = domain.allocate(4096);
    using handle = buffer.handle();
    return handle.domain;
  });
  for (const where of [process.pid, place]) {
    assert.throws(
      () => ProcessDomain.observe(where),
      (error: Error) => {
        assert.match(error.message, /^EINVAL: Cannot observe .*: there are 2 domains; option "domain" may be /);
        return names.every((name, i) => error.message.includes(`"${name}", of "${["one", "two"][i]}"`));
      },
    );
    for (const [i, name] of names.entries()) {
      using observer = ProcessDomain.observe(where, { domain: name });
      assert.deepEqual(
        observer.agents.map((agent) => agent.name),
        [["one", "two"][i]],
      );
    }
    assert.throws(() => ProcessDomain.observe(where, { domain: ANOTHER }), {
      code: "EINVAL",
      message: /that domain is not there; .*may be/,
    });
  }
});

test("the error says what is not there: a process, a place, a listener, a domain", LIMITED, async (t) => {
  const folder = newFolder(t);
  const path = join(folder, "place");
  const program = await Program.start(t, "make", path, "main");
  await program.kill();
  writeFileSync(join(folder, "file"), "");
  assert.throws(() => ProcessDomain.observe(program.pid), { code: "ESRCH", message: /no such process/ });
  assert.throws(() => ProcessDomain.observe(path), { code: "ECONNREFUSED", message: /no process listens there/ });
  assert.throws(() => ProcessDomain.observe(join(folder, "file")), { code: "ECONNREFUSED" });
  assert.throws(() => ProcessDomain.observe(join(folder, "nothing")), { code: "ENOENT", message: /nothing/ });
  assert.throws(() => ProcessDomain.observe(abstractPlace()), { code: "ECONNREFUSED" });
  using _threads = Domain.create({
    agents: 2,
    buffers: 2,
    timelines: 2,
    oneShots: 2,
    streams: 2,
    requests: 2,
    syncobjs: 2,
  });
  assert.throws(() => ProcessDomain.observe(process.pid), {
    code: "ENOENT",
    message: /no domain of dmabuf\/node.*threads alone/,
  });
});

test(
  "another user's domain is refused, and the error names the right that is missing",
  { ...LIMITED, skip: getuid?.() === 0 ? false : "only root can start a process of another user" },
  async (t) => {
    const { first, place } = await hungDomain(t);
    for (const where of [String(first.pid), place]) {
      const child = fork(fileURLToPath(new URL("onlooker.js", import.meta.url)), [where], { uid: NOBODY, gid: NOBODY });
      t.after(() => child.kill("SIGKILL"));
      const [said] = (await once(child, "message")) as [string];
      assert.match(said, /^DmaBufError: EACCES: Cannot observe .*needs the rights of ptrace.*CAP_SYS_PTRACE/);
      if (where !== place) assert.match(said, /of user 0/);
    }
  },
);

test(
  "an explanation names the process at the root, whether it runs, is stopped or was killed: domain-observer.2, domain-observer.3",
  LIMITED,
  async (t) => {
    const place = abstractPlace();
    const first = await Program.start(t, "make", place, "first", "go on");
    const second = await Program.start(t, "join", place, "second", "wait");
    second.child.send(first.handle);
    using observer = ProcessDomain.observe(place);
    await until(() => observer.explain().sentence.includes("first"));
    for (const [state, prepare] of [
      ["live", () => {}],
      ["stopped", () => [first, second].forEach(({ child }) => child.kill("SIGSTOP"))],
      // The other one is stopped: it has not noted it.
      ["dead", () => first.child.kill("SIGKILL")],
    ] as const) {
      prepare();
      const { inode } = frameOf(observer);
      for (const what of [undefined, { buffer: "frame" }, { buffer: inode }]) {
        await until(() => observer.explain(what).root?.state === state);
        const explanation = observer.explain(what);
        assert.equal(explanation.root?.name, "first");
        assert.equal(explanation.root.process ?? first.pid, first.pid);
        assert.match(explanation.sentence, /"first".* holds a write access of buffer "frame"/);
      }
      assert.match(observer.explain().tree, /"second"/);
    }
  },
);

test("a stream is explained by its name, and what is not there is refused", LIMITED, async (t) => {
  const { first } = await hungDomain(t);
  using observer = ProcessDomain.observe(first.pid);
  assert.match(observer.explain({ stream: "frames" }).tree, /stream "frames"/);
  for (const what of [{ stream: "frame" }, { buffer: "another" }, { buffer: 1_000 }]) {
    assert.throws(() => observer.explain(what), { code: "ENOENT", message: /there is no such thing as \{"/ });
  }
});

/** A memory file of this process that looks like a control segment, with a version. */
function forge(t: TestContext, version: number, seals: number): void {
  const { reader, writer } = createPipe();
  const file = createMemoryFile(`dmabuf control ${readlinkSync(`/proc/self/fd/${reader}`)}`);
  t.after(() => [reader, writer, file].forEach(closeDescriptor));
  // "dbuf", and the version.
  writeDescriptor(file, new Uint8Array(new Int32Array([0x66756264, version]).buffer));
  setFileLength(file, 4 * pageSize());
  addSeals(file, seals);
}

test("a domain of another layout version is refused by an error that names both", (t) => {
  forge(t, LAYOUT_VERSION + 1, SEAL.SHRINK | SEAL.GROW);
  assert.throws(() => ProcessDomain.observe(process.pid), {
    code: "EPROTO",
    message: `EPROTO: Cannot observe process ${process.pid}: its layout version is ${LAYOUT_VERSION + 1}, this library's is ${LAYOUT_VERSION}`,
  });
});

test("memory that could be cut short under the observer is not mapped", (t) => {
  forge(t, LAYOUT_VERSION, SEAL.GROW);
  assert.throws(() => ProcessDomain.observe(process.pid), { code: "EPROTO", message: /no fixed length/ });
});
