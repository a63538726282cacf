import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { probe } from "./video.js";

const PATIENT = { timeout: 60_000 };

let folder: string;
let video: string;

before(() => {
  folder = mkdtempSync(join(tmpdir(), "dmabuf-video-"));
  video = join(folder, "some.mp4");
  writeFileSync(video, "anything");
});
after(() => rmSync(folder, { recursive: true }));

/** A program that plays the part of ffmpeg. */
function acting(script: string): string {
  const path = join(folder, "ffmpeg");
  writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return path;
}

const FACTS = `cat >&2 <<END
Input #0, matroska,webm, from 'some.mp4':
  Duration: 00:00:10.00, start: 0.000000, bitrate: 3 kb/s
  Stream #0:0: Video: h264 (High), yuv420p(tv, bt709, progressive), 64x48, 5 fps, 5 tbr
END`;
const HEAD = "echo '#dimensions 0: 64x48'";
const PICTURE = `${HEAD}; echo '0, 0, 0, 1, 4608, 0123456789abcdef0123456789abcdef'`;

test("a named pipe is refused, with a writer and without, and what is written to it is not read", PATIENT, async () => {
  const pipe = join(folder, "pipe.mp4");
  execFileSync("mkfifo", [pipe]);
  const says = { code: "EINVAL", message: /pipe\.mp4: it is a named pipe/ };
  const ffmpeg = acting('cat "$3"');
  await assert.rejects(probe(ffmpeg, pipe), says);
  await assert.rejects(probe(ffmpeg, pathToFileURL(pipe).href), says);
  const both = openSync(pipe, constants.O_RDWR);
  try {
    writeSync(both, "frames");
    await assert.rejects(probe(ffmpeg, pipe), says);
    const bytes = Buffer.alloc(10);
    assert.equal(bytes.toString("utf8", 0, readSync(both, bytes)), "frames");
  } finally {
    closeSync(both);
  }
});

test("a device and a socket are refused", PATIENT, async () => {
  await assert.rejects(probe(acting(PICTURE), "/dev/zero"), { code: "EINVAL", message: /\/dev\/zero: it is a device/ });
  const path = join(folder, "socket");
  const server = createServer().listen(path);
  await assert.rejects(probe(acting(PICTURE), path), { code: "EINVAL", message: /it is a socket/ });
  server.close();
});

test("what gives no picture in time is an error that says so, and its ffmpeg ends", PATIENT, async () => {
  const pid = join(folder, "pid");
  const ffmpeg = acting(`trap "" TERM; echo $$ > ${pid}; sleep 1000`);
  // A look at the file and ffmpeg have as long each.
  await assert.rejects(probe(ffmpeg, video, { timeout: 2_000 }), {
    code: "ETIMEDOUT",
    message: /some\.mp4: no picture came of it in 2 s/,
  });
  assert.throws(() => process.kill(Number(readFileSync(pid, "utf8")), 0), { code: "ESRCH" });
});

test("an abort ends a look, with its reason", PATIENT, async () => {
  const stop = new AbortController();
  const looking = probe(acting("kill -s USR1 $PPID; sleep 1000"), video, { signal: stop.signal });
  process.once("SIGUSR1", () => stop.abort(new Error("enough")));
  await assert.rejects(looking, { message: "enough" });
});

test("what ffmpeg says of a video is found in any number of megabytes", PATIENT, async () => {
  const chapters = "yes '    Chapter #0:1: start 0, end 1 chapter chapter chapter' | head -c 5000000 >&2";
  const line = "yes x | head -c 5000000 | tr -d '\\n' >&2; echo >&2";
  const found = await probe(acting([chapters, line, FACTS, chapters, PICTURE].join("\n")), video);
  assert.deepEqual([found.width, found.height, found.frameRate, found.duration], [64, 48, 5, 10]);
  assert.equal(found.colour.matrix, "bt709");
});

test("an ffmpeg that cannot be run is an error that names it", PATIENT, async () => {
  await assert.rejects(probe(join(folder, "absent"), video), {
    code: "ENOENT",
    message: /Cannot run ffmpeg at .*absent/,
  });
});

test("a file without a picture says that it has none", PATIENT, async () => {
  const says = { code: "EINVAL", message: /some\.mp4 is no video that ffmpeg can decode: it has no moving picture/ };
  await assert.rejects(probe(acting(`${FACTS}\n${HEAD}`), video), says);
  await assert.rejects(probe(acting("echo \"Stream map '0:V:0' matches no streams.\" >&2; exit 1"), video), says);
});
