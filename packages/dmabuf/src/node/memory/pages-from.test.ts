import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { Domain } from "../../index.js";
import { ProcessDomain } from "../process-domain.js";
import { pagesFrom } from "./pages-from.js";

const SIZE = 3 * 65_536 + 100;

/** A file in which each 64 KiB have another value. */
function createFile(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "dmabuf-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "file");
  writeFileSync(
    path,
    Uint8Array.from({ length: SIZE }, (_, i) => 1 + (i >> 16)),
  );
  return path;
}

for (const [what, create] of [
  ["threads", () => Domain.create({ buffers: 4 })],
  ["processes", () => ProcessDomain.create({ agents: 4, buffers: 4 })],
] as const) {
  test(`a file is the pages of a buffer of ${what}, which is as long, and no descriptor stays open`, async (t) => {
    const path = createFile(t);
    using domain = create();
    using buffer = domain.createPagedBuffer(pagesFrom(path));
    const before = readdirSync("/proc/self/fd").length;
    assert.equal(buffer.size, SIZE);
    {
      using range = await buffer.fault(2 * 65_536 - 1, 2);
      assert.deepEqual([...range.bytes], [2, 3]);
    }
    using pin = await buffer.pin();
    assert.deepEqual([pin.bytes.length, pin.bytes[0], pin.bytes[SIZE - 1]], [SIZE, 1, 4]);
    assert.equal(readdirSync("/proc/self/fd").length, before);
  });
}

test("a file that cannot be read, or has become shorter, fails the fault, and nothing else", async (t) => {
  const path = createFile(t);
  using domain = Domain.create({ buffers: 4 });
  using buffer = domain.createPagedBuffer(pagesFrom(path));
  truncateSync(path, 65_536);
  (await buffer.fault(0, 1)).close();
  await assert.rejects(buffer.fault(65_536, 1), { code: "ENODATA", message: /shorter/ });
  rmSync(path);
  await assert.rejects(buffer.fault(65_536, 1), { code: "ENOENT" });
  assert.throws(() => pagesFrom(path), { code: "ENOENT" });
});
