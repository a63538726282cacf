import assert from "node:assert/strict";
import { test } from "node:test";
import { createDomain } from "../../../test/agents.js";
import { BufferCache } from "./buffer-cache.js";

test("what two ask for at the same time is fetched once; after a fetch that fails the next one fetches itself buffer-cache.1 buffer-cache.3", async (t) => {
  const domain = createDomain(t);
  const cache = new BufferCache(1 << 20);
  let fetches = 0;
  const fetch = async () => {
    await Promise.resolve();
    if (++fetches === 1) throw new Error("broken off");
    return domain.allocate(4096);
  };
  const [first, second, third] = await Promise.allSettled(["x", "x", "x"].map((name) => cache.get(name, 4096, fetch)));
  assert.deepEqual([first!.status, second!.status, third!.status], ["rejected", "fulfilled", "fulfilled"]);
  assert.deepEqual([fetches, cache.fetched, cache.bytes], [2, 1, 4096]);
});

test("what was used longest ago goes first, and who has it keeps it buffer-cache.2", async (t) => {
  const domain = createDomain(t);
  const cache = new BufferCache(2 * 4096);
  const fetched: string[] = [];
  const get = (name: string) =>
    cache.get(name, 4096, async () => {
      fetched.push(name);
      return domain.allocate(4096);
    });
  const a = await get("a");
  (await get("b")).close();
  (await get("a")).close();
  (await get("c")).close();
  assert.equal(cache.bytes, 2 * 4096);
  (await get("a")).close();
  (await get("b")).close();
  assert.deepEqual(fetched, ["a", "b", "c", "b"]);
  cache.forget();
  await Promise.resolve();
  assert.equal(cache.bytes, 0);
  assert.equal(a.tryAccess("read")!.bytes.length, 4096);
  a.close();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(domain.statistics(), []);
});
