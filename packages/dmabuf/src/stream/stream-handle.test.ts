import assert from "node:assert/strict";
import { test } from "node:test";
import { createDomain, joinDomain } from "../../test/agents.js";
import { rawFormat } from "./format.js";
import { metadataOffset, metadataSize } from "./metadata.js";

test("a damaged handle to a stream is EINVAL, and leaves no buffer behind", (t) => {
  const domain = createDomain(t);
  const worker = joinDomain(t, domain);
  const stream = domain.createStream({ format: rawFormat(100), buffers: 2 });
  const handle = structuredClone(stream.handle());
  const [first, second] = handle.buffers;
  worker.import(handle).close();
  const held = domain.bufferInfo();
  const damaged: unknown[] = [
    undefined,
    7,
    { ...handle, domain: 1 },
    { ...handle, domain: "another" },
    { ...handle, slot: -1 },
    { ...handle, slot: 4 },
    { ...handle, slot: "0" },
    { ...handle, generation: {} },
    { ...handle, name: null },
    { ...handle, format: { ...handle.format, planes: [{}] } },
    { ...handle, dataBytes: Infinity },
    { ...handle, buffers: [] },
    { ...handle, buffers: Array(33).fill(first) },
    { ...handle, buffers: { length: 2 } },
    { ...handle, buffers: [first, null] },
    { ...handle, buffers: Object.assign(Array(2), { 1: second }) },
    { ...handle, buffers: [first, { ...second, size: 2 ** 40 }] },
    { ...handle, format: rawFormat(2 ** 40) },
    { ...handle, dataBytes: 2 ** 40 },
  ];
  for (const each of damaged) {
    assert.throws(() => worker.import(each as typeof handle), { code: "EINVAL" }, JSON.stringify(each));
    assert.equal(domain.bufferInfo(), held);
  }
  worker.import(handle);
});

test("a frame whose data is damaged is EPROTO, and the next one comes", (t) => {
  const domain = createDomain(t);
  const stream = domain.createStream({ format: rawFormat(8), dataBytes: 16 });
  using consumer = stream.frames();
  const loan = stream.loanSync()!;
  const { memory, offset } = loan.buffer.segments[0]!;
  loan.publish({ data: "text" });
  new Uint8Array(memory, offset).set([0x7b, 0x6e], metadataOffset(8) + metadataSize(0));
  assert.throws(() => consumer.nextSync(), { code: "EPROTO" });
  assert.equal(consumer.missed, 1);
  stream.loanSync()!.publish({ data: "more" });
  assert.equal(consumer.nextSync()?.data, "more");
});

test("a stream is not made with a format that is none", (t) => {
  const domain = createDomain(t);
  const format = { ...rawFormat(8), planes: [] };
  assert.throws(() => domain.createStream({ format: format as never }), {
    name: "TypeError",
    message: /"format".*"planes"/,
  });
});
