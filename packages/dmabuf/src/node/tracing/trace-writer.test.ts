/** Where traces are kept, and who may read them. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { createDomain } from "../../../test/agents.js";
import { Domain } from "../../threads.js";
import { ProcessDomain } from "../process-domain.js";
import { readTrace } from "./read-trace.js";
import { ringBytes } from "../../trace/trace-ring.js";

const LIMIT = { timeout: 60_000 };
const INDEX = new URL("../../index.js", import.meta.url).href;

function makeFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "traces-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Runs a program of `dmabuf` alone, which makes a domain by the name "program" and says what it was warned of. */
function run(code: string, env: Readonly<Record<string, string>> = {}) {
  const program = `import { Domain } from ${JSON.stringify(INDEX)};
    process.on("warning", ({ message }) => console.log(message));
    ${code}`;
  const args = ["--input-type=module", "--eval", program];
  const { DMABUF_TRACE: _, ...own } = process.env;
  return spawnSync(process.execPath, args, { encoding: "utf8", env: { ...own, ...env }, timeout: 50_000 });
}

const CREATE = 'Domain.create({ name: "program" }).createTimeline({ name: "gpu" }).createFence();';

test("what was written is there when the writer was killed, which has closed nothing (trace-writer.1)", LIMIT, (t) => {
  const folder = makeFolder(t);
  const { signal, stdout } = run(`${CREATE} process.kill(process.pid, "SIGKILL");`, { DMABUF_TRACE: folder });
  assert.equal(signal, "SIGKILL", stdout);
  const [file, ...others] = readTrace(folder);
  assert.equal(others.length, 0);
  assert.equal(file!.agent.name, "program");
  assert.equal(file!.hasLeft, false);
  assert.deepEqual(
    file!.events.map(({ point, name }) => [point, name]),
    [
      ["agent:join", "program"],
      ["fence:init", "gpu"],
    ],
  );
});

test("the pages of the file are there from the start (trace-writer.2)", (t) => {
  const folder = makeFolder(t);
  createDomain(t, { trace: folder });
  const { blocks, size } = statSync(readTrace(folder)[0]!.path);
  assert.equal(size, ringBytes());
  assert.ok(blocks * 512 >= size);
});

test("a file that is not ready has no name that readers look for (trace-writer.3)", (t) => {
  const folder = makeFolder(t);
  writeFileSync(join(folder, ".812-of-a-killed-one"), "");
  assert.deepEqual(readTrace(folder), []);
  createDomain(t, { trace: folder, name: "a/b ü" });
  const [name, hidden] = readdirSync(folder).toReversed();
  assert.match(name!, /^[0-9a-f]{32}-a_b__-\d+-\d+\.dmatrace$/);
  assert.equal(hidden, ".812-of-a-killed-one");
  assert.equal(readTrace(folder)[0]!.agent.name, "a/b ü");
});

test("only the user may read the file and its folder, which is made if it is not there (trace-writer.4)", (t) => {
  const runtime = makeFolder(t);
  const { status, stderr } = run(CREATE, { DMABUF_TRACE: "1", XDG_RUNTIME_DIR: runtime });
  assert.equal(status, 0, stderr);
  const folder = join(runtime, `dmabuf-${process.getuid!()}`);
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  const { path } = readTrace(folder)[0]!;
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test("without a runtime folder, traces are in that of temporary files", LIMIT, (t) => {
  const temporary = makeFolder(t);
  const env = { DMABUF_TRACE: "1", TMPDIR: temporary, XDG_RUNTIME_DIR: join(temporary, "is-not-there") };
  assert.equal(run(CREATE, env).status, 0);
  assert.equal(readTrace(join(temporary, `dmabuf-${process.getuid!()}`)).length, 1);
});

test("a folder that others may write to is refused, and so is a private one that they may look into (trace-writer.4)", (t) => {
  const folder = makeFolder(t);
  for (const [mode, isFree] of [
    [0o755, true],
    [0o775, false],
    [0o757, false],
  ] as const) {
    chmodSync(folder, mode);
    const create = (): void => Domain.create({ trace: folder }).close();
    if (isFree) create();
    else {
      const message = `EACCES: Cannot keep traces in ${folder}: other users may write to it: its mode is 0${mode.toString(8)}`;
      assert.throws(create, { code: "EACCES", message });
    }
  }
  const own = join(folder, `dmabuf-${process.getuid!()}`);
  mkdirSync(own, { mode: 0o755 });
  const { stdout, status } = run(CREATE, { DMABUF_TRACE: "1", XDG_RUNTIME_DIR: folder });
  assert.equal(status, 0);
  assert.match(stdout, /Cannot trace as DMABUF_TRACE asks for: .*others? users may look into it: its mode is 0755/);
});

test("the folder of another user is refused, and so is a link, and what is no folder (trace-writer.4)", (t) => {
  const folder = makeFolder(t);
  const file = join(folder, "file");
  const link = join(folder, "link");
  writeFileSync(file, "");
  symlinkSync(folder, link);
  assert.throws(() => Domain.create({ trace: file }), { code: "ENOTDIR", message: /file: it is no folder/ });
  assert.throws(() => Domain.create({ trace: link }), { code: "ENOTDIR", message: /link: it is no folder/ });
  assert.throws(() => Domain.create({ trace: join(file, "below") }), { code: "ENOTDIR" });
  let foreign = "/";
  if (process.getuid!() === 0) {
    foreign = join(folder, "foreign");
    mkdirSync(foreign);
    chownSync(foreign, 12_345, 12_345);
  }
  assert.throws(() => ProcessDomain.create({ trace: foreign }), {
    code: "EACCES",
    message: /it belongs to user \d+, not to user \d+/,
  });
});

test("a file stays when its agent has left, and says so (trace-writer.5)", (t) => {
  const folder = makeFolder(t);
  Domain.create({ trace: folder, name: "gone" }).close();
  const [file] = readTrace(folder);
  assert.equal(file!.hasLeft, true);
  assert.equal(file!.events.at(-1)!.point, "agent:leave");
});

test("the folder of the user keeps 64 files, and those of processes that live (trace-writer.5)", LIMIT, (t) => {
  const runtime = makeFolder(t);
  const folder = join(runtime, `dmabuf-${process.getuid!()}`);
  mkdirSync(folder, { mode: 0o700 });
  const { pid: ended } = spawnSync("true");
  for (let i = 0; i < 80; i++) {
    const path = join(folder, `domain-old-${i < 3 ? process.pid : ended}-${i}.dmatrace`);
    writeFileSync(path, "");
    utimesSync(path, 1000 + i, 1000 + i);
  }
  assert.equal(run(CREATE, { DMABUF_TRACE: "1", XDG_RUNTIME_DIR: runtime }).status, 0);
  const left = readdirSync(folder);
  assert.equal(left.filter((name) => name.includes("-program-")).length, 1);
  const kept = left.flatMap((name) => /-old-\d+-(\d+)\./.exec(name)?.[1] ?? []).map(Number);
  assert.deepEqual(
    kept.sort((a, b) => a - b),
    [0, 1, 2, ...Array.from({ length: 63 }, (_, i) => i + 17)],
  );
});

test("DMABUF_TRACE asks for a trace by 1 or a path, not by 0 or nothing, and the option decides", LIMIT, (t) => {
  const folder = makeFolder(t);
  const other = makeFolder(t);
  for (const wanted of ["", "0"]) assert.equal(run(CREATE, { DMABUF_TRACE: wanted, TMPDIR: folder }).status, 0);
  assert.deepEqual(readdirSync(folder), []);
  const options = `Domain.create({ trace: false }); Domain.create({ trace: ${JSON.stringify(other)}, name: "b" });`;
  assert.equal(run(options, { DMABUF_TRACE: folder }).status, 0);
  assert.deepEqual(readdirSync(folder), []);
  assert.deepEqual(
    readTrace(other).map(({ agent }) => agent.name),
    ["b"],
  );
});

test("a path that cannot be had is an error of the option, and a warning of the environment", LIMIT, () => {
  assert.throws(() => Domain.create({ trace: "/proc/no-folder" }), {
    code: /^E/,
    message: /Cannot keep traces in \/proc/,
  });
  assert.throws(() => Domain.create({ trace: "" }), RangeError);
  assert.throws(() => Domain.create({ trace: 1 as never }), TypeError);
  const { status, stdout } = run(`${CREATE} console.log("went on");`, { DMABUF_TRACE: "/proc/no-folder" });
  assert.equal(status, 0);
  assert.match(stdout, /went on/);
  assert.match(stdout, /Cannot trace as DMABUF_TRACE asks for: .*Cannot keep traces in \/proc\/no-folder/);
});

test("nothing is left of a domain that is not made", (t) => {
  const folder = makeFolder(t);
  const mappings = (): number => readTrace(folder).length;
  assert.throws(() => Domain.create({ trace: folder, agents: 0 }), RangeError);
  assert.throws(() => ProcessDomain.listen("@/\0", { trace: folder }), RangeError);
  assert.equal(mappings(), 0);
  assert.deepEqual(readdirSync(folder), []);
});
