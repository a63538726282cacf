/** `dmabuf top` in a real terminal, and without one. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { dmabuf, DMABUF, kill, LIMITED, run, show, showTwo, stop, until, WATCHDOG } from "./processes.js";
import { Terminal, type Size } from "./terminal.js";

const SIZE: Size = { columns: 120, rows: 24 };
const CTRL_C = "\u0003";
const [UP, DOWN, RIGHT, PAGE_DOWN, HOME, END] = [
  "\u001b[A",
  "\u001b[B",
  "\u001b[C",
  "\u001b[6~",
  "\u001b[H",
  "\u001b[F",
];

function top(t: TestContext, pid: number, environment: Readonly<Record<string, string>> = {}): Terminal {
  return new Terminal(t, process.execPath, [DMABUF, "top", String(pid), "-i", "0.2"], SIZE, environment);
}

/** What is in a column, row by row: it begins where its title does, or ends there. */
function inodes({ screen }: Terminal): number[] {
  return screen.lines
    .map((line) => /^ *(\d+) {2}\S/.exec(line)?.[1])
    .filter((text) => text !== undefined)
    .map(Number);
}

test(
  "top shows the domain, is sorted, filtered and scrolled by keys, and q gives the terminal back as it was",
  LIMITED,
  async (t) => {
    const { pid } = await show(t, "crowd");
    // A shell, so that one sees what it finds afterwards.
    const script = `stty -a > /dev/null; before=$(stty -g); echo before; ${process.execPath} ${DMABUF} top ${pid} -i 0.2; code=$?; [ "$before" = "$(stty -g)" ] && echo same; echo "code $code"; read line; echo "read $line"`;
    const terminal = new Terminal(t, "bash", ["-c", script], SIZE);
    await terminal.shows(/1000 buffers, 2.0 GiB|1000 buffers, 1.9 GiB/);
    assert.deepEqual([terminal.screen.isAlternate, terminal.screen.isCursorHidden], [true, true]);
    assert.equal(terminal.screen.lines.length, SIZE.rows);
    assert.match(terminal.screen.text, /\[buffers\] streams/);
    // The largest first.
    await terminal.shows(/SIZE▼/);
    assert.deepEqual(inodes(terminal).slice(0, 3), [1000, 999, 998]);
    assert.match(terminal.screen.text, /1-18 of 1000/);

    terminal.press("r");
    await terminal.shows(/SIZE▲/);
    await until(() => inodes(terminal)[0] === 1);
    terminal.press(DOWN.repeat(3));
    await terminal.shows(/4-21 of 1000/);
    assert.equal(inodes(terminal)[0], 4);
    terminal.press(UP);
    await terminal.shows(/3-20 of 1000/);
    terminal.press(PAGE_DOWN);
    await terminal.shows(/21-38 of 1000/);
    terminal.press(END);
    await terminal.shows(/983-1000 of 1000/);
    assert.equal(inodes(terminal).at(-1), 1000);
    terminal.press(HOME);
    await terminal.shows(/1-18 of 1000/);

    terminal.press(RIGHT);
    await terminal.shows(/HOLDERS▲/);
    terminal.press("/");
    await terminal.shows(/filter: _/);
    // A q is now a letter.
    terminal.press("q");
    await terminal.shows(/filter: q_[^]*no rows/);
    terminal.press("\u007fbuffer 99");
    await terminal.shows(/filter: buffer 99_[^]*1-11 of 11/);
    terminal.press("\r");
    await terminal.shows(/filter: buffer 99$/m);
    terminal.press("\t");
    await terminal.shows(/ buffers \[streams\]/);
    terminal.press("4");
    await terminal.shows(/\[agents\]/);
    terminal.press("1");
    terminal.press("\u001b");
    await terminal.shows(/1-18 of 1000/);

    terminal.press("q");
    await terminal.shows(/^before\nsame\ncode 0$/m);
    assert.deepEqual([terminal.screen.isAlternate, terminal.screen.isCursorHidden], [false, false]);
    assert.deepEqual(terminal.screen.unknown, []);
    // It is read by lines again, and shows what is typed.
    terminal.press("typed\r");
    await terminal.shows(/^read typed$/m);
    await terminal.ended;
  },
);

test("top follows the terminal's size, and never erases what has scrolled away", LIMITED, async (t) => {
  const { pid } = await show(t, "crowd");
  const terminal = top(t, pid);
  await terminal.shows(/1-18 of 1000/);
  terminal.resize({ columns: 60, rows: 12 });
  await terminal.shows(/1-6 of 1000/);
  await until(
    () => terminal.screen.lines.length <= 12 && terminal.screen.lines.every((line) => line.length <= 60),
    () => JSON.stringify(terminal.screen.lines),
  );
  terminal.resize({ columns: 150, rows: 40 });
  await terminal.shows(/1-34 of 1000/);
  await until(() => terminal.screen.lines.some((line) => line.length > 80));
  terminal.resize({ columns: 20, rows: 3 });
  await until(() => terminal.screen.lines.length <= 3);
  terminal.press("q");
  assert.equal((await terminal.ended).exitCode, 0);
  assert.ok(!terminal.written.includes("\u001b[3J"));
  assert.deepEqual(terminal.screen.unknown, []);
});

test("Ctrl-C ends top well, and SIGTERM with its code; both give the terminal back", LIMITED, async (t) => {
  const { pid } = await show(t, "camera");
  for (const [end, code] of [
    [(terminal: Terminal) => terminal.press(CTRL_C), 0],
    [({ pid: own }: Terminal) => process.kill(own, "SIGTERM"), 143],
  ] as const) {
    const terminal = top(t, pid);
    await terminal.shows(/6 buffers/);
    end(terminal);
    assert.equal((await terminal.ended).exitCode, code);
    assert.deepEqual([terminal.screen.isAlternate, terminal.screen.isCursorHidden], [false, false]);
  }
});

test(
  "top says what is stuck, goes on while all processes are stopped, and says when the domain has ended",
  LIMITED,
  async (t) => {
    const { camera, detector } = await showTwo(t);
    const terminal = top(t, camera.pid);
    await terminal.shows(/2 agents {2}/);
    await stop(camera);
    await stop(detector);
    await terminal.shows(/2 agents \(2 stopped\)[^]*stuck: .*camera.*which is stopped/);
    terminal.press("2");
    await terminal.shows(/detector \(\d+, stopped\) +block/);
    await kill(detector);
    await terminal.shows(/1 dead/);
    await kill(camera);
    await terminal.shows(/has ended: no agent lives any more/);
    // What is left can still be looked at.
    terminal.press("1");
    await terminal.shows(/\[buffers\]/);
    terminal.press("q");
    assert.equal((await terminal.ended).exitCode, 0);
    assert.equal(terminal.screen.isAlternate, false);
    await terminal.shows(new RegExp(`^Domain ${camera.domain} has ended`));
  },
);

test("Space holds the picture", LIMITED, async (t) => {
  const { pid } = await show(t, "camera");
  const terminal = top(t, pid);
  await terminal.shows(/6 buffers/);
  const clock = (): string => /\d\d:\d\d:\d\d/.exec(terminal.screen.text)![0];
  terminal.press(" ");
  await terminal.shows(/paused/);
  const held = clock();
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  assert.equal(clock(), held);
  terminal.press(" ");
  await until(() => clock() !== held);
  terminal.press("q");
  await terminal.ended;
});

test("top draws in a terminal also where the variable CI is set", LIMITED, async (t) => {
  const { pid } = await show(t, "camera");
  const terminal = top(t, pid, { CI: "true", CONTINUOUS_INTEGRATION: "1" });
  await terminal.shows(/6 buffers[^]*\[buffers\]/);
  terminal.press("q");
  assert.equal((await terminal.ended).exitCode, 0);
});

test("a terminal has colours, and with NO_COLOR none", LIMITED, async (t) => {
  const { camera, detector } = await showTwo(t);
  await stop(detector);
  const yellow = `\u001b[33mdetector (${detector.pid}, stopped)\u001b[39m`;
  for (const [environment, has] of [
    [{}, true],
    [{ NO_COLOR: "1" }, false],
  ] as const) {
    const terminal = top(t, camera.pid, environment);
    await terminal.shows(/stopped/);
    await terminal.shows(/\[buffers\]/);
    terminal.press("4");
    await terminal.shows(/\[agents\]/);
    terminal.press("q");
    await terminal.ended;
    assert.equal(terminal.written.includes(yellow) || terminal.written.includes("\u001b[33m"), has);
    const plain = new Terminal(
      t,
      process.execPath,
      [DMABUF, "bufinfo", String(camera.pid)],
      { columns: 250, rows: 40 },
      environment,
    );
    await plain.ended;
    await plain.shows(/stopped/);
    assert.equal(plain.written.includes(yellow), has);
  }
});

interface Sums {
  readonly version: number;
  readonly domain: string;
  readonly ended: boolean;
  readonly stuck: boolean;
  readonly agents: { readonly live: number; readonly stopped: number; readonly dead: number };
  readonly buffers: { readonly count: number; readonly bytes: number };
  readonly streams: readonly { readonly name: string; readonly consumers: number }[];
}

test("without a terminal top writes plain lines, once or again and again until the domain ends", LIMITED, async (t) => {
  const { pid, domain, ...crowd } = await show(t, "crowd");
  const sums = await dmabuf("top", String(pid), "--once", "--json", "-i", "0.1");
  const { version, domain: named, ended, stuck, agents, buffers, streams } = JSON.parse(sums.stdout) as Sums;
  assert.deepEqual(
    [version, named, ended, stuck, agents, buffers, streams],
    [1, domain, false, false, { live: 1, stopped: 0, dead: 0 }, { count: 1000, bytes: (1000 * 1001 * 4096) / 2 }, []],
  );
  const few = await dmabuf(
    "top",
    String(pid),
    "--once",
    "-i",
    "0.1",
    "--view",
    "buffers",
    "--sort",
    "inode",
    "--filter",
    "BUFFER 99",
  );
  assert.equal(few.code, 0);
  const lines = few.stdout.trimEnd().split("\n");
  const rows = lines.slice(4).map((line) => Number(line.trim().split(" ")[0]));
  assert.deepEqual(rows, [99, 990, 991, 992, 993, 994, 995, 996, 997, 998, 999]);

  let written = "";
  const watching = run(
    process.execPath,
    [DMABUF, "top", String(pid), "--json", "-i", "0.1"],
    {},
    (text) => (written = text),
  );
  await until(() => written.split("\n").length > 3);
  await kill({ pid, domain, ...crowd });
  const { code, stdout } = await watching;
  const all = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Sums);
  assert.deepEqual([code, all.at(-1)!.ended, all.at(-1)!.agents.live], [0, true, 0]);
  assert.ok(all.slice(0, -1).every((each) => !each.ended));
});

test("names are shown without what a terminal would obey", { timeout: WATCHDOG }, async (t) => {
  const { pid } = await show(t, "odd");
  for (const args of [
    ["bufinfo", String(pid)],
    ["top", "--once", String(pid)],
    ["explain", "-d", String(pid)],
  ]) {
    const { stdout } = await dmabuf(...args);
    // eslint-disable-next-line no-control-regex -- these are what it is about
    assert.ok(!/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/.test(stdout), JSON.stringify(stdout));
  }
  const { stdout } = await dmabuf("bufinfo", String(pid));
  assert.match(stdout, /\ufffd\[31m red\ufffd/);
});
