/**
 * Peers that send what they should not: their connection ends, or their message is dropped, and no other agent notices.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CASES_PER_LOOK, MessageFuzzer } from "./message-fuzzer.js";

const SEED = 1;
const CASES = 400;

// listening-socket.6, mailbox.5
test(`honest members and viewers cope with ${CASES} damaged messages beside them`, { timeout: 100_000 }, async (t) => {
  t.mock.method(process, "emitWarning", () => {});
  const fuzzer = await MessageFuzzer.create(SEED);
  t.after(() => fuzzer.close());
  for (let index = 0; index < CASES; index++) {
    assert.equal(await fuzzer.run(index), undefined, `case ${index}`);
    if (index % CASES_PER_LOOK === CASES_PER_LOOK - 1) await fuzzer.look();
  }
});
