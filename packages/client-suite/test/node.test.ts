import assert from "node:assert/strict";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { ALL_CASES } from "../src/all-cases.js";
import { runCase } from "../src/run.js";
import { Kept } from "../src/scene.js";

const ADAPTER = fileURLToPath(new URL("node-adapter.js", import.meta.url));

const kept = new Kept();
after(async () => assert.equal(await kept.finish(), undefined));

for (const item of ALL_CASES) {
  test(`in Node.js, ${item.id}: ${item.says}`, { timeout: 120_000 }, async (t) => {
    const { outcome, why } = await runCase(item, { kept, command: [process.execPath, ADAPTER], timeout: 20_000 });
    if (outcome === "skipped" && process.env["CI"] !== "true") return t.skip(why);
    assert.equal(outcome, "ok", why);
  });
}
