/** A worker of a pipeline: it inverts each image of a stream into a buffer of its own, and shows that to the kernel. */
import { createHash } from "node:crypto";
import { parentPort, workerData } from "node:worker_threads";
import { ExportedBuffer } from "../../../src/linux/index.js";
import { ProcessDomain, type WorkerInvitation } from "../../../src/node/index.js";

/** What the worker tells of each image. */
export interface Inverted {
  readonly sequence: number;
  /** Of the camera's image. */
  readonly source: string;
  /** Of all bytes of the dma-buf. */
  readonly result: string;
  /** The first byte of the result. */
  readonly first: number;
  /** The dma-buf, open until the worker hears "next". */
  readonly fd: number;
}

const { invitation, frames } = workerData as { invitation: WorkerInvitation; frames: number };
const domain = ProcessDomain.join(invitation);
const stream = await domain.findStream("camera", { timeout: 20_000 });
let left = frames;

for await (using frame of stream.frames()) {
  const inverted = domain.allocate(frame.bytes.length, { name: "inverted" });
  let result: string;
  let first: number;
  {
    using access = await inverted.access("write");
    const { bytes } = frame;
    for (let i = 0; i < bytes.length; i++) access.bytes[i] = 255 - bytes[i]!;
    result = sha256(access.bytes);
    first = access.bytes[0]!;
  }
  using exported = await ExportedBuffer.create(inverted);
  const message: Inverted = {
    sequence: frame.sequence,
    source: sha256(frame.bytes),
    result,
    first,
    fd: exported.descriptor.fd,
  };
  const next = new Promise((resolve) => parentPort!.once("message", resolve));
  parentPort!.postMessage(message);
  await next;
  // The other process has counted it up, in the memory of our buffer.
  using access = await inverted.access("read");
  parentPort!.postMessage(access.bytes[0]!);
  if (--left === 0) break;
}
stream.close();
domain.close();

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
