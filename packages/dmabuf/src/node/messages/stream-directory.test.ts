import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { rawFormat } from "../../stream/format.js";
import { ProcessDomain } from "../process-domain.js";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

test("a domain of processes keeps no stream that was closed", { timeout: 30_000 }, async () => {
  using domain = ProcessDomain.create();
  const streams = Array.from({ length: 20 }, () => {
    const stream = domain.createStream({ format: rawFormat(64), buffers: 1 });
    stream.close();
    return new WeakRef(stream);
  });
  for (let turn = 0; turn < 10 && streams.some((stream) => stream.deref() !== undefined); turn++) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    collectGarbage();
  }
  assert.equal(streams.filter((stream) => stream.deref() !== undefined).length, 0);
});

test(
  "of several streams of one name the newest is found that has not ended (stream-directory.2)",
  { timeout: 30_000 },
  async () => {
    using domain = ProcessDomain.create();
    const [first, second, third] = [1, 2, 3].map((size) =>
      domain.createStream({ name: "camera", format: rawFormat(size), buffers: 1 }),
    );
    const found = async (): Promise<number> => {
      using stream = await domain.findStream("camera", { timeout: 30_000 });
      return stream.format.size;
    };
    assert.equal(await found(), 3);
    third!.end();
    assert.equal(await found(), 2);
    first!.end();
    second!.end();
    assert.equal(await found(), 3);
  },
);
