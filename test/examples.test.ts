import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

/** Documentation is true: its programs are the ones in examples/, and these run. */

const root = new URL("../../", import.meta.url);
const sources = readdirSync(new URL("examples/", root)).filter((name) => name.endsWith(".ts"));

for (const source of sources) {
  test(`examples/${source} runs to its end and prints something`, { timeout: 60_000 }, () => {
    const program = fileURLToPath(new URL(`dist/examples/${source.replace(/\.ts$/, ".js")}`, root));
    const { status, stdout, stderr } = spawnSync(process.execPath, [program], { encoding: "utf8", timeout: 30_000 });
    assert.equal(stderr, "");
    assert.equal(status, 0);
    assert.notEqual(stdout, "");
  });
}

test("every TypeScript program in README.md stands in examples/ to the letter", () => {
  const readme = readFileSync(new URL("README.md", root), "utf8");
  const programs = [...readme.matchAll(/```ts\n(.*?)```/gs)].map(([, program]) => program);
  const examples = sources.map((source) => readFileSync(new URL(`examples/${source}`, root), "utf8"));
  assert.ok(programs.length > 0);
  for (const program of programs) assert.ok(examples.includes(program!), `no example is\n${program}`);
});
