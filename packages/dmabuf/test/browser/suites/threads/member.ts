/** A worker that joins a domain, does what it is asked to, says so, and then stays in the middle of it. */
import { Domain, type Invitation, type BufferHandleData } from "../../../../src/index.js";
import { rawFormat } from "../../../../src/stream/format.js";
import type { StreamHandleData } from "../../../../src/stream/stream-handle.js";

/** What a worker is asked to do. */
export type Task =
  | { readonly do: "fill"; readonly buffer: BufferHandleData; readonly value: number }
  | { readonly do: "block"; readonly buffer: BufferHandleData }
  | { readonly do: "lock"; readonly buffer: BufferHandleData }
  | { readonly do: "fence" }
  | { readonly do: "take"; readonly stream: StreamHandleData }
  | { readonly do: "drain"; readonly stream: StreamHandleData }
  | { readonly do: "produce" };

interface WorkerRealm {
  onmessage: (event: { data: { readonly invitation: Invitation; readonly task: Task } }) => void;
  postMessage(message: unknown): void;
}

const realm = globalThis as unknown as WorkerRealm;

/** What the worker is in the middle of: kept, or the collector would end it. */
const kept: unknown[] = [];

realm.onmessage = ({ data: { invitation, task } }) => {
  const domain = Domain.join(invitation);
  kept.push(domain);
  void domain.ready.then(() => carryOut(domain, task)).then((answer) => realm.postMessage(answer));
};

async function carryOut(domain: Domain, task: Task): Promise<unknown> {
  switch (task.do) {
    case "fill": {
      const buffer = domain.import(task.buffer);
      using access = buffer.accessSync("write");
      access.bytes.fill(task.value);
      return access.bytes.length;
    }
    case "block":
      kept.push(domain.import(task.buffer).accessSync("write"));
      return "held";
    case "lock":
      kept.push(domain.import(task.buffer).reservation.lockSync());
      return "locked";
    case "fence": {
      const fence = domain.createTimeline({ name: "browser" }).createFence();
      kept.push(fence);
      return fence.handle();
    }
    case "take": {
      const consumer = domain.import(task.stream).frames();
      kept.push(consumer, await consumer.next());
      return "taken";
    }
    case "drain": {
      const sequences: number[] = [];
      for await (using frame of domain.import(task.stream).frames()) sequences.push(frame.bytes[0]!);
      return sequences;
    }
    case "produce": {
      const stream = domain.createStream({ format: rawFormat(1), buffers: 2 });
      kept.push(stream);
      (await stream.loan())!.publish();
      return stream.handle();
    }
  }
}
