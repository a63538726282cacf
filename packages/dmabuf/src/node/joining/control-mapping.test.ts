import assert from "node:assert/strict";
import { test } from "node:test";
import { bufferOf } from "../../substrate/atomic-words.js";
import { ResourceLedger } from "../resources/resource-ledger.js";
import { closeDescriptor, createMemoryFile, pageSize, setFileLength } from "../system-calls/index.js";
import { mapControl, mapOverWasm } from "./control-mapping.js";

const LENGTH = 4 * pageSize();
const ledger = new ResourceLedger();
const MAPPINGS = {
  "whichever is had here": (file: number) => mapControl(ledger, file, LENGTH),
  ...(process.env["DMABUF_WORDS"] !== "atomics" && {
    "over a WebAssembly.Memory": (file: number) => mapOverWasm(file, LENGTH),
  }),
};

for (const [kind, map] of Object.entries(MAPPINGS)) {
  test(`after its end the words are as they were, and no other's (control-mapping.3): ${kind}`, () => {
    const file = createMemoryFile("control");
    setFileLength(file, LENGTH);
    const [here, there] = [map(file), mapControl(ledger, file, LENGTH)];
    const [words, others] = [here, there].map(({ memory }) => new Int32Array(bufferOf(memory))) as [
      Int32Array,
      Int32Array,
    ];
    const last = LENGTH / 4 - 1;
    words[0] = 1;
    others[last] = 2;
    assert.deepEqual([others[0], words[last]], [1, 2]);
    const rest = new Int32Array(here.end());
    others.fill(3, 0, last + 1);
    assert.deepEqual([rest[0], rest[1], rest[last]], [1, 0, 2]);
    rest.fill(4);
    if (rest.buffer === words.buffer) words.fill(4);
    assert.deepEqual([others[0], others[1], others[last]], [3, 3, 3]);
    there.end();
    closeDescriptor(file);
  });
}
