/** What a browser's workers do in the suites of this folder: each role gets the domain that the worker has joined. */
import {
  rawFormat,
  type DmaBufError,
  type Domain,
  type FenceHandle,
  type Policy,
  type BufferHandleData,
  type StreamHandleData,
} from "../../../src/index.js";

interface WorkerRealm {
  onmessage: ((event: { data: unknown }) => void) | null;
  postMessage(message: unknown): void;
  close(): void;
}

const realm = globalThis as unknown as WorkerRealm;

export const roles = {
  /** Adds one to every byte of the buffer, and sends back one of its own with the sum of them. */
  async adder(domain: Domain, { buffer }: { buffer: BufferHandleData }): Promise<void> {
    const mine = domain.import(buffer);
    let sum = 0;
    {
      using access = mine.accessSync("write");
      access.bytes.forEach((byte, i) => (sum += access.bytes[i] = byte + 1));
    }
    const answer = domain.allocate(4, { name: "answer" });
    new Uint32Array(answer.segments[0]!.memory)[0] = sum;
    realm.postMessage(answer.handle("read"));
    await heard();
    domain.close();
    realm.postMessage("left");
  },

  /** Takes all frames there are, blocking for each if it is told to, and says what it got. */
  async consumer(
    domain: Domain,
    { stream, policy, blocking }: { stream: StreamHandleData; policy: Policy; blocking: boolean },
  ): Promise<void> {
    const consumer = domain.import(stream).frames({ policy });
    realm.postMessage("joined");
    const sequences: number[] = [];
    let end = "ended";
    try {
      for (;;) {
        using frame = blocking ? consumer.nextSync() : await consumer.next();
        if (frame === undefined) break;
        if (frame.bytes.some((byte) => byte !== (frame.sequence & 0xff))) throw new Error(`frame ${frame.sequence}`);
        sequences.push(frame.sequence);
      }
    } catch (error) {
      end = (error as DmaBufError).code ?? String(error);
    }
    realm.postMessage({ sequences, end });
  },

  /** Takes one frame and keeps it. */
  async frameKeeper(domain: Domain, { stream }: { stream: StreamHandleData }): Promise<void> {
    const frame = await domain.import(stream).frames().next();
    realm.postMessage(frame!.sequence);
    await new Promise(() => {});
  },

  /** Keeps the lock of one buffer, writes to another and reads a third; then does as it is told. */
  async keeper(
    domain: Domain,
    details: {
      locked: BufferHandleData;
      written: BufferHandleData;
      read: BufferHandleData;
      then: "blocks" | "waits" | "closes";
    },
  ): Promise<void> {
    const [locked, written, read] = [details.locked, details.written, details.read].map((it) => domain.import(it));
    await locked!.reservation.lock();
    await written!.access("write");
    await read!.access("read");
    realm.postMessage(domain.createTimeline().createFence().handle());
    await heard();
    if (details.then === "closes") realm.close();
    // It waits for itself: with a time limit that is no error before the limit.
    if (details.then === "blocks") written!.accessSync("read", { timeout: 60_000 });
    await new Promise(() => {});
  },

  /** Publishes frames without end. */
  async producer(domain: Domain): Promise<void> {
    const stream = domain.createStream({ format: rawFormat(64) });
    realm.postMessage(stream.handle());
    await stream.waitForConsumers(1);
    let sequence = 0;
    for await (const loan of stream.loans()) {
      loan.bytes.fill(sequence & 0xff);
      sequence = loan.publish() + 1;
    }
  },

  /** Blocks until the fence signals, and says its status. */
  async blocker(domain: Domain, { fence }: { fence: FenceHandle }): Promise<void> {
    const awaited = domain.import(fence);
    realm.postMessage("blocking");
    awaited.waitSync();
    realm.postMessage(awaited.status);
  },

  /** Keeps a write access until it is told to end it. */
  async writer(domain: Domain, { buffer }: { buffer: BufferHandleData }): Promise<void> {
    const access = domain.import(buffer).accessSync("write");
    realm.postMessage("writing");
    await heard();
    access[Symbol.dispose]();
    await new Promise(() => {});
  },
} satisfies Record<string, (domain: Domain, details: never) => Promise<void>>;

export type Roles = typeof roles;
export type RoleName = keyof Roles;

function heard(): Promise<void> {
  return new Promise((resolve) => (realm.onmessage = () => resolve()));
}
