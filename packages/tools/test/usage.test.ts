/** How the command line is used: which domain is meant, who may look, what is wrong, and how it ends. */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { getuid } from "node:process";
import { test } from "node:test";
import { dmabuf, DMABUF, json, LIMITED, run, show, showTwo, stop, type Result } from "./processes.js";

const NOBODY = 65534;

interface List {
  readonly domains: readonly { readonly domain: string }[];
  readonly hidden: readonly { readonly process: number; readonly user: number }[];
}

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
    assert.equal((await json<{ domain: string }>(0, "bufinfo", domain)).domain, domain);
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

test("inspect is the inspector's program, by the library's command and by the tools' own", LIMITED, async () => {
  const tools = createRequire(import.meta.url).resolve("dmabuf-tools");
  for (const main of [DMABUF, tools]) {
    const help = await run(process.execPath, [main, "inspect", "--help"]);
    assert.equal(help.code, 0, help.stderr);
    assert.match(help.stdout, /^Usage: dmabuf(-| )inspect/);
    const wrong = await run(process.execPath, [main, "inspect", "--nonsense"]);
    assert.notEqual(wrong.code, 0);
    assert.match(wrong.stderr, /unknown option '--nonsense'/);
  }
});

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
