/** How the demo ends: at what it cannot play, at signals, and when it is killed. Nothing is left of it. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { missing } from "dmabuf-host-lab";
import { findFfmpeg } from "../src/ffmpeg.js";
import { tiedToUs } from "../src/program.js";
import {
  assertNothingLeft,
  CLIP,
  input,
  inputs,
  leftHosts,
  leftProcesses,
  processWith,
  run,
  start,
  temporary,
  until,
  type Running,
} from "./demo-run.js";

const CUT = 0.55;
const failures: { what: string; file: () => string; says: RegExp }[] = [
  { what: "a file that does not exist", file: () => join(inputs, "absent.mp4"), says: /no such file/ },
  { what: "a directory", file: () => inputs, says: /is a directory/ },
  { what: "a text", file: () => input("note.txt", "Nothing moves here.\n"), says: /note\.txt is no video/ },
  { what: "an empty file", file: () => input("empty.mp4", ""), says: /empty\.mp4 is no video/ },
  {
    what: "a video whose head is cut off",
    file: () => input("head.mp4", readFileSync(CLIP).subarray(0, 1000)),
    says: /head\.mp4 is no video/,
  },
  {
    what: "a video that ends in the middle",
    file: () => input("cut.mp4", cut(readFileSync(CLIP))),
    says: /cut\.mp4 ended in the middle, after \d+ frames at 5\.\d of 9\.0 s/,
  },
  { what: "a named pipe", file: () => pipe("pipe.mp4"), says: /pipe\.mp4: it is a named pipe/ },
  { what: "a device", file: () => "/dev/zero", says: /\/dev\/zero: it is a device/ },
  {
    what: "a sound without pictures",
    file: () => sound("sound.wav"),
    says: /sound\.wav is no video .*no moving picture/,
  },
];

function pipe(name: string): string {
  const path = join(inputs, name);
  execFileSync("mkfifo", [path]);
  return path;
}

function sound(name: string): string {
  const path = join(inputs, name);
  using ffmpeg = findFfmpeg(process.env);
  execFileSync(ffmpeg.path, ["-v", "error", "-y", "-f", "lavfi", "-i", "sine=d=1", path]);
  return path;
}

function cut(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(0, Math.floor(bytes.length * CUT));
}

for (const { what, file, says } of failures) {
  test(`${what} is an error in one line, and leaves no process and no file`, async () => {
    const { code, stdout, stderr } = await run("--headless", "--json", file());
    assert.equal(code, 1);
    assert.equal(stdout, "");
    assert.match(stderr, says);
    assert.equal(stderr.trim().split("\n").length, 1);
    assertNothingLeft();
  });
}

test("a Matroska file that ends in the middle is an error, too", async () => {
  using ffmpeg = findFfmpeg(process.env);
  const whole = join(inputs, "whole.mkv");
  execFileSync(ffmpeg.path, ["-v", "error", "-y", "-i", CLIP, "-c", "copy", whole]);
  const { code, stderr } = await run("--headless", "--json", input("cut.mkv", cut(readFileSync(whole))));
  assert.equal(code, 1);
  assert.match(stderr, /cut\.mkv ended in the middle/);
});

test("a video about which ffmpeg says megabytes plays (program.4)", async () => {
  using ffmpeg = findFfmpeg(process.env);
  const title = "chapter ".repeat(20);
  const chapters = Array.from(
    { length: 9000 },
    (_, n) => `[CHAPTER]\nTIMEBASE=1/1000\nSTART=${n}\nEND=${n + 1}\ntitle=${title}${n}\n`,
  );
  const texts = input("chapters", `;FFMETADATA1\n${chapters.join("")}`);
  const long = join(inputs, "long.mkv");
  execFileSync(ffmpeg.path, [
    "-v",
    "error",
    "-y",
    "-i",
    CLIP,
    "-i",
    texts,
    "-map_metadata",
    "1",
    "-t",
    "1",
    "-c",
    "copy",
    long,
  ]);
  const { code, stdout, stderr } = await run("--headless", "--json", "--no-postmessage", long);
  assert.equal(code, 0, stderr);
  assert.ok((JSON.parse(stdout) as { frames: number }).frames > 0);
});

test("checksums for a pipe that has no reader are an error, and the demo ends", async () => {
  const args = ["--headless", "--no-postmessage", "--frames", "5", "--checksums", pipe("checksums-pipe")];
  const { code, stderr } = await run(...args);
  assert.equal(code, 1);
  assert.match(stderr, /checksums-pipe: it is a pipe that has no reader/);
  assertNothingLeft();
});

/** An ffmpeg that says nothing and takes SIGTERM for a wish, as one that waits for a network does. */
function deaf(): string {
  const path = join(inputs, "deaf-ffmpeg");
  writeFileSync(path, '#!/bin/sh\ntrap "" TERM HUP INT\nsleep 1000 & wait; wait\n', { mode: 0o755 });
  return path;
}

for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const) {
  test(`${signal} ends a demo whose ffmpeg does not answer, with ${code}, and its ffmpeg`, async () => {
    const running = start(["--headless"], { DMABUF_FFMPEG: deaf() });
    await until(() => leftProcesses().some((line) => line.includes("deaf-ffmpeg")), running);
    running.child.kill(signal);
    assert.equal((await running.result).code, code);
    assertNothingLeft();
  });
}

for (const workers of [[], ["--processes"], ["--processes", "--kill"]]) {
  const name = ["demo", ...workers].join(" ");
  test(`a ${name} that is killed leaves no process`, async (t) => {
    if (tiedToUs().length === 0) return t.skip("without setpriv an ffmpeg ends when it has something to say");
    const running = start(["--loop", ...workers]);
    await until(() => leftProcesses().some((line) => line.includes("rawvideo")), running);
    running.child.kill("SIGKILL");
    await running.result;
    while (leftProcesses().length > 0) await new Promise((resolve) => setTimeout(resolve, 20));
    for (const file of readdirSync(temporary)) rmSync(join(temporary, file), { recursive: true });
  });
}

test("a demo that is killed leaves no ffmpeg that does not answer", async (t) => {
  if (tiedToUs().length === 0) return t.skip("there is no setpriv here");
  const path = join(inputs, "silent-ffmpeg");
  writeFileSync(path, "#!/bin/sh\nexec sleep 1000\n", { mode: 0o755 });
  const running = start(["--headless"], { DMABUF_FFMPEG: path });
  await until(() => leftProcesses().some((line) => line.startsWith("sleep")), running);
  running.child.kill("SIGKILL");
  await running.result;
  while (leftProcesses().length > 0) await new Promise((resolve) => setTimeout(resolve, 20));
});

for (const [signal, code, ...workers] of [
  ["SIGINT", 130] as const,
  ["SIGHUP", 129] as const,
  ["SIGTERM", 143] as const,
  ["SIGTERM", 143, "--processes"] as const,
  ["SIGTERM", 143, "--processes", "--kill"] as const,
]) {
  test(`${signal} ends ${["demo", ...workers].join(" ")} with ${code}, and leaves no process and no file`, async () => {
    const running = start(workers);
    await until(() => running.said().includes("Preview:"), running);
    await until(() => leftProcesses().some((line) => line.includes("rawvideo")), running);
    running.child.kill(signal);
    assert.equal((await running.result).code, code);
    assertNothingLeft();
  });
}

const LIMIT = 300_000;
const HOST = "second-host.worker";

/** A demo whose second host is there, on a network of its own where that can be. The video lasts for seconds. */
async function startTwoHosts(): Promise<Running> {
  const running = start(["--hosts", "2", "--frames", "60", "--no-postmessage"]);
  const ours = networkOf(process.pid);
  const isApart = (pid: number): boolean => missing("network") !== undefined || networkOf(pid) !== ours;
  await until(() => [processWith(HOST)].some((pid) => pid !== undefined && isApart(pid)), running);
  return running;
}

function networkOf(pid: number): string {
  return readlinkSync(`/proc/${pid}/ns/net`);
}

/** What was on the second host ends by the kernel, some time after the demo. */
async function untilNothingIsLeft(): Promise<void> {
  while (leftProcesses().length + leftHosts().length > 0) await new Promise((resolve) => setTimeout(resolve, 20));
}

for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const) {
  test(`${signal} ends a demo on two hosts with ${code}, and nothing is left of them`, { timeout: LIMIT }, async () => {
    const running = await startTwoHosts();
    running.child.kill(signal);
    assert.equal((await running.result).code, code);
    assert.deepEqual(leftHosts(), []);
    await untilNothingIsLeft();
    assertNothingLeft();
  });
}

for (const [host, agent] of [
  ["second host", HOST],
  ["agent of the first host", "first-host.worker"],
] as const) {
  test(`a demo whose ${host} is killed is an error, and nothing is left of it`, { timeout: LIMIT }, async () => {
    const running = await startTwoHosts();
    process.kill(processWith(agent)!, "SIGKILL");
    const { code, stderr } = await running.result;
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`The ${host} ended with SIGKILL, before it was done`));
    assert.deepEqual(leftHosts(), []);
    await untilNothingIsLeft();
    assertNothingLeft();
  });
}

test("a demo on two hosts that is killed leaves no host, and the next one runs", { timeout: LIMIT }, async (t) => {
  if (tiedToUs().length === 0) return t.skip("there is no setpriv here");
  const running = await startTwoHosts();
  running.child.kill("SIGKILL");
  await running.result;
  const next = await run("--headless", "--hosts", "2", "--frames", "10", "--no-postmessage");
  assert.equal(next.code, 0, next.stderr);
  assert.match(next.stdout, /two hosts/);
  await untilNothingIsLeft();
  for (const file of readdirSync(temporary)) rmSync(join(temporary, file), { recursive: true });
});
