import assert from "node:assert/strict";
import { test } from "node:test";
import { streamed } from "../../test/streams.js";
import type { Consumer } from "./consumer.js";
import { imageFormat } from "./format.js";
import type { Frame, PublishedFrame } from "./frame.js";
import type { FrameSource } from "./frame-source.js";
import type { JsonValue } from "./metadata.js";

/** What `tsc` says of this file is the test; an interface has no index signature, and is taken nevertheless. */
interface Detection {
  readonly box: readonly [x: number, y: number];
  readonly label?: string;
}

const frames = 4;

test("a frame's data have the type that its consumer was given", async (t) => {
  const { stream, theirs } = streamed(t);
  const consumer = theirs.frames<Detection>();
  for (let i = 0; i < frames; i++) stream.tryLoan()?.publish({ data: { box: [i, 2], label: "cat" } });
  stream.end();

  using looked = consumer.tryNext();
  const box: readonly [number, number] | undefined = looked?.data?.box;
  // @ts-expect-error It may carry no data.
  void looked?.data.box;
  // @ts-expect-error It has no such field.
  void looked?.data?.boxes;
  assert.deepEqual(box, [0, 2]);

  using awaited = await consumer.next();
  const label: string | undefined = awaited?.data?.label;
  assert.equal(label, "cat");

  using blocked = consumer.nextSync();
  const [x] = blocked?.data?.box ?? [-1];
  assert.equal(x, 2);

  for await (using frame of consumer) {
    const typed: Frame<Detection> = frame;
    assert.equal(typed.data?.box[0], 3);
  }
});

test("a field that may be missing is published as it is, and left out where it is not there", async (t) => {
  type Label = { readonly text?: string | undefined; readonly score: number };
  const { stream, theirs } = streamed(t);
  const labels: readonly Label[] = [{ score: 1 }, { text: undefined, score: 2 }, { text: "cat", score: 3 }];
  for (const data of labels) stream.tryLoan()?.publish({ data });
  stream.end();
  const seen: (Label | undefined)[] = [];
  for await (using frame of theirs.frames<Label>()) seen.push(frame.data);
  assert.deepEqual(seen, [{ score: 1 }, { score: 2 }, { text: "cat", score: 3 }]);
});

test("a consumer without a type has frames with JSON, and any consumer may be given to who looks at no data", (t) => {
  const { stream, theirs } = streamed(t);
  const json: Consumer = theirs.frames();
  const typed: Consumer<Detection> = theirs.frames<Detection>();
  stream.tryLoan()?.publish({ data: [1] });
  const source: FrameSource = typed;
  const lengthOf = (consumer: Consumer<unknown>): number | undefined => {
    using frame: PublishedFrame | undefined = consumer.tryNext();
    return frame?.length;
  };
  assert.deepEqual([lengthOf(typed), typeof source.next], [8, "function"]);
  using frame = json.tryNext();
  const data: JsonValue | undefined = frame?.data;
  assert.deepEqual(data, [1]);
  // @ts-expect-error A consumer of one type is none of another.
  const wrong: Consumer<{ other: string }> = typed;
  void wrong;
});

test("every format has a plane, by its type", () => {
  const stride: number = imageFormat("NV12", 4, 2).planes[0].stride;
  // @ts-expect-error Not every format has two.
  void imageFormat("NV12", 4, 2).planes[1].stride;
  assert.equal(stride, 4);
});
