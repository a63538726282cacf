import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { rawFormat } from "dmabuf";
import { ProcessDomain } from "dmabuf/node";
import { ALL_CASES } from "../src/all-cases.js";
import { runCase } from "../src/run.js";
import { Kept } from "../src/scene.js";
import { fillPattern } from "../src/stage.js";

const SOURCES = fileURLToPath(new URL("../../../../clients/c/", import.meta.url));
const HAS_COMPILERS = ["gcc", "g++", "make"].every((name) => spawnSync(name, ["--version"]).status === 0);
const skip = HAS_COMPILERS || process.env["CI"] === "true" ? false : "gcc, g++ or make is not installed";
const LIMITED = { timeout: 120_000, skip };
const TIMEOUT = 20_000;

const out = mkdtempSync(join(tmpdir(), "dmabuf-c-"));
after(() => rmSync(out, { recursive: true, force: true }));

test("the client, its examples and its adapter compile without a warning", LIMITED, () => {
  const flags = `CFLAGS=-g -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined`;
  const { status, stderr } = spawnSync("make", ["-C", SOURCES, `OUT=${out}`, flags], { encoding: "utf8" });
  assert.equal(status, 0, stderr);
});

test("its header can be used from C++", LIMITED, () => {
  const program = join(out, "look.cpp");
  writeFileSync(program, '#include "dmabuf_visitor.h"\nint main() { dmabuf_viewer_close(nullptr); }\n');
  const object = join(out, "visitor.o");
  const flags = ["-Wall", "-Wextra", "-Werror", "-I", SOURCES];
  for (const [compiler, ...args] of [
    ["gcc", "-std=c99", ...flags, "-c", join(SOURCES, "dmabuf_visitor.c"), "-o", object],
    ["g++", "-std=c++11", "-pedantic", ...flags, program, object, "-lm", "-o", join(out, "from-c++")],
    [join(out, "from-c++")],
  ] as const) {
    const { status, stderr } = spawnSync(compiler, args, { encoding: "utf8" });
    assert.equal(status, 0, stderr);
  }
});

const kept = new Kept();
after(async () => assert.equal(await kept.finish(), undefined));

for (const item of ALL_CASES) {
  test(`in C, ${item.id}: ${item.says}`, LIMITED, async (t) => {
    const { outcome, why } = await runCase(item, { kept, command: [join(out, "suite_adapter")], timeout: TIMEOUT });
    if (outcome === "skipped" && process.env["CI"] !== "true") return t.skip(why);
    assert.equal(outcome, "ok", why);
  });
}

test("look writes a stream's frames into a pipe, and feed fills a stream from one", LIMITED, async (t) => {
  const domain = ProcessDomain.create();
  t.after(() => domain.close());
  const format = rawFormat(100_000);
  const [from, to] = ["from", "to"].map((name) => domain.createStream({ name, format, buffers: 4 })) as [
    ReturnType<typeof domain.createStream>,
    ReturnType<typeof domain.createStream>,
  ];
  const place = `@dmabuf c ${process.pid}`;
  domain.serveViewers(`${place} from`, from, { policy: "block" });
  domain.serveContributors(`${place} to`, to, { ends: true });
  const consumer = to.frames({ policy: "block" });
  const pipe = `'${out}/look' '${place} from' 20 raw | '${out}/feed' '${place} to'`;
  const child = spawn("sh", ["-c", pipe], { stdio: ["ignore", "inherit", "inherit"] });
  t.after(() => child.kill());
  const ended = once(child, "exit");
  await from.waitForConsumers(1, { timeout: 60_000 });
  const producing = (async () => {
    for (let i = 0; i < 20; i++) {
      const loan = (await from.loan())!;
      fillPattern(loan.bytes, i);
      loan.publish();
    }
  })();
  let frames = 0;
  const wanted = new Uint8Array(format.size);
  for await (using frame of consumer) {
    fillPattern(wanted, frames);
    assert.ok(Buffer.from(wanted).equals(frame.bytes), `frame ${frames} is wrong`);
    frames += 1;
  }
  await producing;
  assert.equal(frames, 20);
  assert.deepEqual(await ended, [0, null]);
});
