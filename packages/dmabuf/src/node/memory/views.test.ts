import assert from "node:assert/strict";
import { test } from "node:test";
import { rawFormat } from "../../index.js";
import { capabilities, ProcessDomain, StreamViewer } from "../index.js";

const HAS_TRANSFER = "transfer" in ArrayBuffer.prototype;
const skip = !capabilities().processes || (HAS_TRANSFER ? false : "this Node.js cannot take memory back");

test(
  "every kept view of a process is empty after its end, and a frame's bytes are EBADF (memory-mapping.2)",
  { skip },
  async () => {
    using domain = ProcessDomain.create();
    using stream = domain.createStream({ format: rawFormat(4096), buffers: 2 });
    using consumer = stream.frames();
    // The server of viewers has a hold of its own, so it has a stream of its own here.
    using shown = domain.createStream({ format: rawFormat(4096) });
    using server = domain.serveViewers(`@dmabuf views ${process.pid}`, shown);
    using viewer = await StreamViewer.connect(`@dmabuf views ${process.pid}`);
    assert.equal(server.viewers, 1);
    const kept: Uint8Array[] = [];
    const keep = ({ bytes, planes }: { bytes: Uint8Array; planes?: readonly { bytes: Uint8Array }[] }): void =>
      void kept.push(bytes, bytes.subarray(1), ...(planes ?? []).map((plane) => plane.bytes));

    for (const one of [stream, shown]) {
      using loan = one.loanSync()!;
      keep(loan);
      loan.publish();
    }
    const [frame, viewed] = [(await consumer.next())!, (await viewer.next())!];
    for (const one of [frame, viewed]) {
      keep(one);
      one.close();
      assert.throws(() => one.bytes, { code: "EBADF" });
    }
    using buffer = domain.allocate(4096);
    {
      using access = buffer.accessSync("write");
      keep(access);
    }
    assert.equal(kept.length, 14);
    assert.deepEqual(
      kept.map(({ length }) => length),
      kept.map(() => 0),
    );
  },
);

test(
  "a loan whose memory was transferred away is followed by one that has its bytes",
  { skip: !capabilities().processes },
  () => {
    using domain = ProcessDomain.create();
    using stream = domain.createStream({ format: rawFormat(4096), buffers: 1 });
    const lengths = Array.from({ length: 5 }, () => {
      using loan = stream.loanSync()!;
      const { length } = loan.bytes;
      loan.bytes.fill(1);
      const { buffer } = loan.bytes;
      try {
        structuredClone(buffer, { transfer: [buffer as ArrayBuffer] });
      } catch {
        // The first view of some memory cannot be transferred, and Node.js 20 makes a copy.
      }
      return length;
    });
    assert.deepEqual(lengths, Array(5).fill(4096));
  },
);
