import assert from "node:assert/strict";
import { test } from "node:test";
import { connection } from "../../../test/connection.js";
import { rawFormat } from "../../index.js";
import { ProcessDomain } from "../../node/index.js";
import { decodeHeader, HEADER_BYTES, type Header } from "./frame-header.js";
import { CREDIT, StreamSender } from "./stream-sender.js";

const LONG = { timeout: 60_000 };
const FORMAT = rawFormat(100);

test(
  "what was missed between two connections is said with the next frame, and once only stream-sender.3",
  LONG,
  async (t) => {
    // The receiver's last frame, and what its next ones say, of which the first is the newest of ten.
    const cases = [
      [undefined, [9, 0]],
      [3, [9, 5]],
      [8, [9, 0]],
      [0, [9, 8]],
    ] as const;
    for (const [after, [sequence, missed]] of cases) {
      using domain = ProcessDomain.create();
      const source = domain.createStream({ name: "camera", format: FORMAT, buffers: 3 });
      const publish = async (): Promise<number> => (await source.loan(LONG))!.publish();
      for (let i = 0; i < 10; i++) await publish();
      const { near, far } = await connection(t);
      new StreamSender(far, await domain.findStream("camera", LONG), { policy: "newest", after, beat: 60_000 });
      const bytes = near[Symbol.asyncIterator]() as AsyncIterator<Uint8Array, undefined>;
      let got = new Uint8Array();
      const next = async (): Promise<Header> => {
        near.write(Uint8Array.of(CREDIT));
        while (got.length < HEADER_BYTES + FORMAT.size) got = Uint8Array.of(...got, ...(await bytes.next()).value!);
        const header = decodeHeader(got.subarray(0, HEADER_BYTES), FORMAT, 0);
        got = got.slice(HEADER_BYTES + FORMAT.size);
        return header;
      };
      const first = await next();
      assert.deepEqual(first.kind === "frame" && [first.sequence, first.missed], [sequence, missed]);
      await publish();
      const second = await next();
      assert.deepEqual(second.kind === "frame" && [second.sequence, second.missed], [10, 0]);
      for (let i = 0; i < 3; i++) await publish();
      const third = await next();
      assert.deepEqual(third.kind === "frame" && [third.sequence, third.missed], [13, 2]);
      near.destroy();
    }
  },
);
