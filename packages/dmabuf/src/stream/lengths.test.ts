import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createDomain } from "../../test/agents.js";
import { publish, streamed } from "../../test/streams.js";
import { copiedBytes } from "../buffer/copies.js";
import { imageFormat, rawFormat, tensorFormat } from "./format.js";
import type { FrameStream } from "./frame-stream.js";
import { metadataOffset } from "./metadata.js";

/** Publishes a frame whose bytes are `value`, up to a length. */
function publishBytes(stream: FrameStream, value: number, length?: number): void {
  const loan = stream.tryLoan()!;
  loan.bytes.fill(value);
  loan.publish(length === undefined ? {} : { length });
}

describe("a frame's length", () => {
  test("is what the producer has said; bytes, planes and copies have it, and the next frame's is its own", (t) => {
    const { stream, theirs } = streamed(t, 1);
    const consumer = theirs.frames();
    for (const length of [3, 8, 0, 1, undefined]) {
      publishBytes(stream, 7, length);
      using frame = consumer.tryNext()!;
      const expected = new Uint8Array(length ?? 8).fill(7);
      assert.equal(frame.length, expected.length);
      assert.deepEqual(frame.bytes.slice(), expected);
      assert.deepEqual(frame.copy(), expected);
      const [plane] = frame.planes;
      assert.deepEqual(plane.bytes.slice(), expected);
      assert.deepEqual([plane.width, plane.stride, plane.height], [expected.length, expected.length, 1]);
    }
  });

  test("is no copy: the bytes are those of the buffer, and a copy has no more than they", (t) => {
    const { stream, theirs } = streamed(t);
    const consumer = theirs.frames();
    publishBytes(stream, 1, 5);
    using frame = consumer.tryNext()!;
    const before = copiedBytes();
    assert.equal(frame.bytes.buffer, frame.buffer.segments[0]!.memory);
    assert.equal(copiedBytes(), before);
    frame.copy();
    assert.equal(copiedBytes() - before, 5);
    frame.close();
    assert.throws(() => frame.length, { code: "EBADF" });
  });

  test("comes with data, and neither changes the other", (t) => {
    const { stream, theirs } = streamed(t, 1);
    const consumer = theirs.frames();
    for (const [length, data] of [
      [2, { a: 1 }],
      [8, undefined],
      [5, "text"],
    ] as const) {
      stream.tryLoan()!.publish({ length, ...(data === undefined ? {} : { data }) });
      using frame = consumer.tryNext()!;
      assert.deepEqual([frame.length, frame.data], [length, data]);
    }
  });

  test("that the format does not allow is refused in words, and the loan stays", (t) => {
    const domain = createDomain(t);
    const refused = (stream: FrameStream, length: unknown, name: string, message: string): void => {
      using loan = stream.tryLoan()!;
      const call = (): unknown => loan.publish({ length: length as number });
      assert.throws(call, { name, message: `Loan.publish(): option "length" must be ${message}` });
      assert.equal(loan.bytes.length, stream.format.size);
      assert.equal(loan.publish({ length: stream.format.size }), stream.published - 1);
    };
    const raw = domain.createStream({ format: rawFormat(8), buffers: 1 });
    for (const length of [9, -1, 0.5, NaN, Infinity])
      refused(raw, length, "RangeError", `an integer from 0 to 8, not ${length}`);
    refused(raw, "3", "TypeError", 'a number, not "3"');
    const image = domain.createStream({ format: imageFormat("GREY", 4, 4), buffers: 1 });
    refused(image, 12, "RangeError", "16, as all frames of this format have, not 12");
    const tensor = domain.createStream({ format: tensorFormat([4], "int16"), buffers: 1 });
    refused(tensor, 0, "RangeError", "8, as all frames of this format have, not 0");
  });

  test("that is damaged is EPROTO, and the next frame comes", async (t) => {
    const { stream, theirs } = streamed(t);
    const consumer = theirs.frames();
    for (const length of [9, -1, 0.5, NaN, 2 ** 60]) {
      const loan = (await stream.loan())!;
      const { memory, offset } = loan.buffer.segments[0]!;
      loan.publish({ length: 1 });
      new DataView(memory, offset + metadataOffset(stream.format.size)).setFloat64(32, length, true);
      await assert.rejects(consumer.next(), { code: "EPROTO", message: /its length is damaged/ });
    }
    await publish(stream);
    using frame = await consumer.next();
    assert.deepEqual([frame!.sequence, consumer.missed], [5, 5]);
  });
});
