import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { missing } from "dmabuf-host-lab";
import sharp from "sharp";
import { findFfmpeg } from "../src/ffmpeg.js";
import { assertNothingLeft, CLIP, inputs, ROOT, run, start, temporary, until } from "./demo-run.js";

const FRAME_BYTES = (1280 * 720 * 3) / 2;

interface Consumer {
  name: string;
  policy: string;
  frames: number;
  missed: number;
  handoff_us: { p50: number; p99: number };
  bytes_copied: number;
}

interface Report {
  frames: number;
  fps: number;
  handoff_us: { p50: number; p99: number };
  bytes_copied: number;
  memory: { growth: number };
  consumers: Consumer[];
  postmessage: { frames: number; bytes_copied: number } | null;
  process_ipc: { frames: number; bytes_copied: number } | null;
  two_hosts?: {
    frames: number;
    bytes_copied: number;
    handoff_us: { p50: number };
    network: string;
    lacking?: string;
  };
  kills: { count: number; decoders: { count: number }; checked_frames: number; left: Record<string, number> };
}

// message-pipeline.1
// message-pipeline.2
test("the shipped clip reaches five workers without a copy, and postMessage copies each frame for each", async () => {
  const { code, stdout, stderr } = await run("--headless", "--json");
  assert.equal(code, 0, stderr);
  assert.equal(stdout.trim().split("\n").length, 1);
  const report = JSON.parse(stdout) as Report;
  assert.equal(report.frames, 270);
  assert.ok(report.fps > 0);
  assert.ok(report.handoff_us.p50 > 0 && report.handoff_us.p50 <= report.handoff_us.p99);
  assert.equal(report.bytes_copied, 0);
  assert.deepEqual(
    report.consumers.map(({ name }) => name),
    ["motion", "motion-simd", "histogram", "thumbnails", "preview"],
  );
  for (const consumer of report.consumers) {
    assert.equal(consumer.frames + consumer.missed, 270, consumer.name);
    if (consumer.policy === "block") assert.equal(consumer.missed, 0, consumer.name);
    assert.equal(consumer.bytes_copied, 0, consumer.name);
  }
  assert.equal(report.postmessage?.frames, 270);
  assert.ok(report.postmessage.bytes_copied >= 3 * 270 * FRAME_BYTES);
  assertNothingLeft();
});

const TWO_HOSTS = ["--headless", "--json", "--hosts", "2", "--no-postmessage"];

test("the consumers of a second host get every frame, and no byte is copied on either", async () => {
  const { code, stdout, stderr } = await run(...TWO_HOSTS, "--frames", "40");
  assert.equal(code, 0, stderr);
  const report = JSON.parse(stdout) as Report;
  assert.deepEqual([report.frames, report.two_hosts?.frames], [40, 40]);
  assert.deepEqual([report.bytes_copied, report.two_hosts?.bytes_copied], [0, 0]);
  assert.ok(report.two_hosts!.handoff_us.p50 > 0);
  const { network, lacking } = report.two_hosts!;
  if (missing("network") === undefined) assert.deepEqual([network, lacking], ["namespaces", undefined]);
  else assert.equal(network, "loopback");
  assertNothingLeft();
});

/** Root without capabilities is what a container may have. */
for (const [who, changes, says] of [
  ["a user", ["--reuid=65534", "--regid=65534", "--clear-groups"], /: Only root makes network namespaces/],
  [
    "root without capabilities",
    ["--bounding-set=-all", "--inh-caps=-all"],
    /: No network namespace can be made here: /,
  ],
] as const) {
  test(`for ${who} the second host is on loopback, and the report says why`, async (t) => {
    const before = ["setpriv", ...changes, "--"];
    const trial = [...before, process.execPath, "--eval", `fs.accessSync(${JSON.stringify(CLIP)})`];
    if (spawnSync(trial[0]!, trial.slice(1)).status !== 0) return t.skip(`The demo cannot be run as ${who} here`);
    chmodSync(temporary, 0o777);
    const { code, stdout, stderr } = await start([...TWO_HOSTS, "--frames", "10"], {}, before).result;
    assert.equal(code, 0, stderr);
    const { frames, network, lacking } = (JSON.parse(stdout) as Report).two_hosts!;
    assert.deepEqual([frames, network], [10, "loopback"]);
    assert.match(lacking!, says);
    assertNothingLeft();
  });
}

test("every frame that a consumer reads has the checksum that ffmpeg itself computes", async () => {
  const file = join(inputs, "checksums");
  const { code, stderr } = await run("--headless", "--json", "--no-postmessage", "--checksums", file);
  assert.equal(code, 0, stderr);
  using ffmpeg = findFfmpeg(process.env);
  const expected = execFileSync(ffmpeg.path, ["-v", "error", "-i", CLIP, "-pix_fmt", "nv12", "-f", "framemd5", "-"]);
  const frames = framesOf(readFileSync(file, "utf8"));
  assert.equal(frames.length, 270);
  assert.deepEqual(frames, framesOf(expected.toString()));
});

test("with --processes five processes share each frame without a copy, and none is left", async () => {
  const { code, stdout, stderr } = await run("--headless", "--json", "--processes", "--frames", "60");
  assert.equal(code, 0, stderr);
  const report = JSON.parse(stdout) as Report;
  assert.equal(report.frames, 60);
  assert.equal(report.bytes_copied, 0);
  for (const { name, policy, frames, missed } of report.consumers) {
    assert.equal(frames + missed, 60, name);
    if (policy === "block") assert.equal(missed, 0, name);
  }
  assert.equal(report.process_ipc?.frames, 60);
  assert.ok(report.process_ipc.bytes_copied >= 3 * 60 * FRAME_BYTES);
  assertNothingLeft();
});

// decoder-process.1, killer.1
test("what --kill kills in the middle of frames, the decoder too, spoils no frame, and what it had comes back", async () => {
  const file = join(inputs, "kill-checksums");
  const args = ["--headless", "--json", "--processes", "--kill", "--checksums", file];
  const { code, stdout, stderr } = await run(...args);
  assert.equal(code, 0, stderr);
  const { frames, consumers, kills } = JSON.parse(stdout) as Report;
  assert.equal(frames, 270);
  assert.ok(kills.count >= 2, `killed ${kills.count}`);
  assert.ok(kills.decoders.count >= 1, "no decoder was killed");
  assert.deepEqual(kills.left, { agents: 0, buffers: 0, memory_files: 0 });
  // A consumer that is not killed gets every frame once, as ffmpeg decodes it, from whichever decoder; it compares each, as the others do.
  assert.equal(consumers.find(({ name }) => name === "checksums")?.missed, 0);
  assert.ok(kills.checked_frames > 270);
  using ffmpeg = findFfmpeg(process.env);
  const expected = execFileSync(ffmpeg.path, ["-v", "error", "-i", CLIP, "-pix_fmt", "nv12", "-f", "framemd5", "-"]);
  assert.deepEqual(framesOf(readFileSync(file, "utf8")), framesOf(expected.toString()));
  assertNothingLeft();
});

function framesOf(framemd5: string): string[] {
  return framemd5.split("\n").filter((line) => /^\d/.test(line));
}

test("--loop begins anew at the end, and --frames ends it", async () => {
  const args = ["--headless", "--json", "--no-postmessage", "--loop", "--frames", "300"];
  const { code, stdout, stderr } = await run(...args);
  assert.equal(code, 0, stderr);
  assert.equal((JSON.parse(stdout) as Report).frames, 300);
});

test("resident memory holds one copy of each frame, not one for each agent", async () => {
  const { code, stdout, stderr } = await run("--headless", "--json", "--no-postmessage", "--buffers", "32");
  assert.equal(code, 0, stderr);
  const { memory } = JSON.parse(stdout) as Report;
  const ring = 32 * FRAME_BYTES;
  // Five copies would be five rings. What the threads need besides is less than two.
  assert.ok(memory.growth < 3 * ring, `grew by ${memory.growth} bytes, the ring has ${ring}`);
});

test("thumbnails are JPEGs of every Nth frame, in the directory that was named", async () => {
  const output = join(inputs, "thumbnails");
  const args = ["--headless", "--no-postmessage", "--frames", "50", "--every", "20", "--output", output];
  const { code, stdout, stderr } = await run(...args);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /motion .*\n.*motion-simd .*\n.*histogram/);
  assert.deepEqual(readdirSync(output).sort(), ["frame-000000.jpg", "frame-000020.jpg", "frame-000040.jpg"]);
  const { format, width, height, channels } = await sharp(join(output, "frame-000040.jpg")).metadata();
  assert.deepEqual({ format, width, height, channels }, { format: "jpeg", width: 320, height: 180, channels: 3 });
  assertNothingLeft();
});

test("the page shows the video as JPEGs, and Ctrl-C ends a loop with the report", async () => {
  const running = start(["--loop", "--no-postmessage", "--output", join(inputs, "loop")]);
  const url = (): string | undefined => /Preview: (\S+)/.exec(running.said())?.[1];
  await until(() => url() !== undefined, running);
  const page = await fetch(url()!);
  assert.match(page.headers.get("content-type")!, /^text\/html/);
  assert.match(await page.text(), /<img src="\/stream\.mjpg"/);
  assert.equal((await fetch(new URL("/nothing", url()))).status, 404);
  assert.equal((await fetch(new URL("/thumbnails/..%2fframe-0.jpg", url()))).status, 404);

  // The inspector sees the threads' domain, and goes with the demo.
  const inspector = (): string | undefined => /Inspector: (http:\S+)/.exec(running.said())?.[1];
  assert.ok(inspector() !== undefined, running.said());
  const agents = await agentsOf(inspector()!);
  for (const name of ["demo", "motion", "histogram", "preview"]) assert.ok(agents.includes(name), agents.join());

  const jpeg = await firstPart(new URL("/stream.mjpg", url()));
  assert.equal((await sharp(jpeg).metadata()).format, "jpeg");

  running.child.kill("SIGINT");
  const { code, stdout, stderr } = await running.result;
  assert.equal(code, 0, stderr);
  assert.match(stdout, /bytes copied +│ +0 B/);
  assertNothingLeft();
});

/** Names of the agents that the inspector's first snapshot shows. */
async function agentsOf(url: string): Promise<string[]> {
  const response = await fetch(url.replace("/?", "/events?"));
  let text = "";
  for await (const part of response.body!.pipeThrough(new TextDecoderStream())) {
    text += part;
    const first = /event: first\ndata: (.*)\n\n/.exec(text)?.[1];
    if (first === undefined) continue;
    const { rows } = JSON.parse(first) as { rows: { agents: { set: { name: string }[] } } };
    return rows.agents.set.map(({ name }) => name);
  }
  throw new Error("The inspector shows no snapshot");
}

/** The body of the first part of a multipart stream. */
async function firstPart(url: URL): Promise<Buffer> {
  const response = await fetch(url);
  const boundary = /boundary=(\S+)/.exec(response.headers.get("content-type")!)![1]!;
  let received = Buffer.alloc(0);
  for await (const chunk of response.body!) {
    received = Buffer.concat([received, chunk as Uint8Array]);
    const head = received.indexOf("\r\n\r\n");
    if (head < 0) continue;
    const text = received.subarray(0, head).toString();
    assert.ok(text.startsWith(`--${boundary}\r\n`));
    assert.match(text, /Content-Type: image\/jpeg/);
    const length = Number(/Content-Length: (\d+)/.exec(text)![1]);
    if (received.length < head + 4 + length) continue;
    return received.subarray(head + 4, head + 4 + length);
  }
  throw new Error("The stream ended before its first part");
}

test("a video whose frames come at uneven times is whole when its last one was shown", async () => {
  using ffmpeg = findFfmpeg(process.env);
  const uneven = join(inputs, "uneven.mkv");
  const keep = ["-vf", "select=not(between(mod(n\\,10)\\,2\\,8))"];
  execFileSync(ffmpeg.path, ["-v", "error", "-y", "-i", CLIP, ...keep, "-c:v", "mjpeg", uneven]);
  const { code, stdout, stderr } = await run("--headless", "--json", "--no-postmessage", uneven);
  assert.equal(code, 0, stderr);
  assert.equal((JSON.parse(stdout) as Report).frames, 81);
});

test("an ffmpeg of DMABUF_FFMPEG that cannot be run is an error that names it", async () => {
  const { code, stderr } = await start(["--headless"], { DMABUF_FFMPEG: "/nowhere/ffmpeg" }).result;
  assert.equal(code, 1);
  assert.match(stderr, /DMABUF_FFMPEG names \/nowhere\/ffmpeg/);
});

test("--help tells the options, and --version the package's version", async () => {
  const help = await run("--help");
  assert.equal(help.code, 0);
  for (const option of [
    "--headless",
    "--frames",
    "--json",
    "--output",
    "--port",
    "--buffers",
    "--loop",
    "--checksums",
    "--processes",
    "--kill",
    "--hosts",
    "--no-inspector",
  ])
    assert.ok(help.stdout.includes(option), option);
  const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };
  assert.equal((await run("--version")).stdout.trim(), version);
});

for (const args of [
  ["--frames", "0"],
  ["--frames", "many"],
  ["--port", "65536"],
  ["--buffers", "1"],
  ["--kill"],
  ["--hosts", "3"],
  ["--hosts", "2", "--processes", "--kill"],
  ["--nonsense"],
]) {
  test(`demo ${args.join(" ")} is refused`, async () => {
    const { code, stderr } = await run(...args);
    assert.equal(code, 1);
    assert.ok(stderr.includes(args[0]!), stderr);
  });
}
