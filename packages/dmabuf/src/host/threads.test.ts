import assert from "node:assert/strict";
import { test } from "node:test";
import { threadsHost } from "./threads.js";

test("the clock never steps back", () => {
  const host = threadsHost();
  let last = host.nowNs();
  // In WebKit, it did once in 75,000 looks.
  for (let looks = 0; looks < 300_000; looks++) {
    const now = host.nowNs();
    assert.ok(now >= last, `${now} after ${last}`);
    last = now;
  }
});
