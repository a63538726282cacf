/**
 * Uses buffers in every way there is, closes them, and prints which memory is still held. All of it belongs
 * to no holder then.
 *
 * Usage: node --expose-gc memory.js
 */
import { Domain, rawFormat, type DmaBuf } from "../../src/index.js";

/** Refers to the memory of a buffer without holding it. */
type Watched = [what: string, memory: WeakRef<object>];

function watch(what: string, buffer: DmaBuf): Watched {
  return [what, new WeakRef(buffer.segments[0]!.memory)];
}

// Alive all the time: what they hold of a closed buffer, they hold until the end.
const domain = Domain.create();
const other = Domain.join(domain.invite());

async function useBuffers(): Promise<Watched[]> {
  const allocated = domain.allocate(1);
  const watched = [watch("an allocated buffer", allocated)];
  (await allocated.access("write"))[Symbol.dispose]();
  const theirs = other.import(allocated.handle());
  (await theirs.access("read")).copy();
  const attachment = allocated.attachSync();
  await attachment.map("write");
  const fence = domain.createTimeline().createFence();
  {
    using _lock = await allocated.reservation.lock();
    allocated.reservation.reserveFences(1);
    allocated.reservation.addFence(fence, "write");
  }
  const waiting = theirs.access("read");
  fence.signal();
  await waiting;
  theirs.close();
  allocated.close();

  const sent = domain.allocate(1);
  watched.push(watch("a buffer whose handle was sent and never imported", sent));
  sent.handle();
  sent.close();

  const memory = new SharedArrayBuffer(4096);
  const exported = domain.export([{ memory, offset: 0, length: 4096 }], {
    ops: { map: () => [], unmap() {}, release() {} },
  });
  watched.push(watch("an exported buffer", exported));
  exported.close();
  return watched;
}

async function useStream(): Promise<Watched[]> {
  const stream = domain.createStream({ format: rawFormat(8), buffers: 1 });
  const consumer = other.import(stream.handle());
  const loan = (await stream.loan())!;
  const watched = [watch("a stream's buffer", loan.buffer)];
  loan.publish({ data: "frame" });
  for await (using frame of consumer.frames()) {
    void frame.planes[0].bytes;
    break;
  }
  stream.close();
  consumer.close();
  return watched;
}

const watched = [...(await useBuffers()), ...(await useStream())];
for (let i = 0; i < 20 && watched.some(([, memory]) => memory.deref() !== undefined); i++) {
  // A turn of the event loop: a reference that was read stays until the end of its turn.
  await new Promise((resolve) => setTimeout(resolve, 10));
  globalThis.gc!();
}
for (const [what, memory] of watched) console.log(`${what}: ${memory.deref() === undefined ? "free" : "held"}`);
domain.close();
