import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { imageFormat } from "dmabuf";
import { ProcessDomain } from "dmabuf/node";
import { fillPattern } from "../src/stage.js";

const HOME = new URL("../../../../", import.meta.url);
const DOCUMENT = readFileSync(new URL("docs/other-languages.md", HOME), "utf8");
const RECIPES = [...DOCUMENT.matchAll(/```sh\n(.*?)\n```/gs)].map(([, recipe]) => recipe!);
const FORMAT = imageFormat("NV12", 640, 480);
const FRAMES = 30;
const NEEDED = ["gcc", "make", "ffmpeg", "gst-launch-1.0"];
const missing = NEEDED.filter((name) => spawnSync("which", [name]).status !== 0);
const skip = missing.length > 0 && process.env["CI"] !== "true" ? `${missing.join(", ")} is not installed` : false;
const LIMITED = { timeout: 120_000, skip };

const out = mkdtempSync(join(tmpdir(), "dmabuf-recipes-"));
after(() => rmSync(out, { recursive: true, force: true }));
before(() => {
  if (skip === false)
    spawnSync("make", ["-C", fileURLToPath(new URL("clients/c", HOME)), `OUT=${out}`], { stdio: "inherit" });
});

/** Runs a recipe, with places of its own in the place of those that it names. */
async function cook(t: TestContext, recipe: string, place: string): Promise<void> {
  const own = recipe.replace(/@[\w-]+/, `'${place}'`);
  const env = { ...process.env, PATH: `${out}:${process.env["PATH"]}` };
  const child = spawn("bash", ["-o", "pipefail", "-c", own], { cwd: out, env, stdio: ["ignore", "ignore", "pipe"] });
  t.after(() => child.kill());
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  const [status] = (await once(child, "close")) as [number | null];
  assert.equal(status, 0, `${own}\n${said}`);
}

/** The bytes that a program writes to its standard output. */
function output(program: string, ...args: readonly string[]): Buffer {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: out, maxBuffer: 1 << 28 });
  assert.equal(status, 0, String(stderr));
  return stdout;
}

test("the document has the four recipes that are tried here", () => {
  assert.deepEqual(
    RECIPES.map((recipe) => /look .*ffmpeg|ffmpeg .*feed|look .*gst|gst.*feed/.test(recipe)),
    [true, true, true, true],
  );
});

test("the document's program in Python is the example that its own tests run", () => {
  const programs = [...DOCUMENT.matchAll(/```python\n(.*?)```/gs)].map(([, program]) => program);
  assert.deepEqual(programs, [readFileSync(new URL("clients/python/examples/invert.py", HOME), "utf8")]);
});

for (const recipe of RECIPES.filter((text) => text.startsWith("look"))) {
  test(`frames of a stream come whole through: ${recipe}`, LIMITED, async (t) => {
    const domain = ProcessDomain.create();
    t.after(() => domain.close());
    const stream = domain.createStream({ name: "camera", format: FORMAT, buffers: 3 });
    const place = `@dmabuf recipe ${process.pid}`;
    domain.serveViewers(place, stream, { policy: "block" });
    const wanted = new Uint8Array(FORMAT.size * FRAMES);
    const cooking = cook(t, recipe, place);
    const produced = (async () => {
      for (let i = 0; i < FRAMES; i++) {
        using loan = await stream.loan();
        fillPattern(loan!.bytes, i);
        wanted.set(loan!.bytes, i * FORMAT.size);
        loan!.publish();
        if (i === 0) await stream.waitForConsumers(1, { timeout: 60_000 });
      }
    })();
    await Promise.all([cooking, produced]);
    const got = recipe.includes("ffmpeg")
      ? output("ffmpeg", "-v", "error", "-i", "clip.mkv", "-pix_fmt", "nv12", "-f", "rawvideo", "-")
      : readFileSync(join(out, "clip.nv12"));
    assert.equal(got.length, wanted.length);
    assert.ok(got.equals(wanted));
  });
}

for (const recipe of RECIPES.filter((text) => text.endsWith("| feed @to-fill"))) {
  test(`a stream is filled by: ${recipe}`, LIMITED, async (t) => {
    const domain = ProcessDomain.create();
    t.after(() => domain.close());
    const stream = domain.createStream({ name: "filled", format: FORMAT, buffers: 3 });
    const place = `@dmabuf recipe ${process.pid}`;
    domain.serveContributors(place, stream, { ends: true });
    const consumer = stream.frames({ policy: "block" });
    const cooking = cook(t, recipe, place);
    const got: Buffer[] = [];
    for await (using frame of consumer) got.push(Buffer.from(frame.bytes));
    await cooking;
    assert.equal(got.length, FRAMES);
    const [alone] = recipe.split(" | feed");
    assert.ok(Buffer.concat(got).equals(output("bash", "-c", alone!)));
  });
}
