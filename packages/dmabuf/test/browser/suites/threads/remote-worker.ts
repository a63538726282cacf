/** Does what it is told to, order by order: see remote.ts. */
import {
  Domain,
  rawFormat,
  type BufferHandleData,
  type DmaBufError,
  type Invitation,
  type StreamHandleData,
} from "../../../../src/index.js";
import { until } from "../../../agents.js";

interface WorkerRealm {
  onmessage: (event: { data: { readonly order: keyof Orders; readonly details: never } }) => void;
  postMessage(message: unknown, transfer?: readonly unknown[]): void;
}

const realm = globalThis as unknown as WorkerRealm;

let domain: Domain;
/** How the consumer that this worker has begun ends. */
let end: Promise<string>;
/** What it is in the middle of: kept, or the collector would end it. */
const kept: unknown[] = [];

const orders = {
  async create(name: string): Promise<void> {
    domain = Domain.create({ agents: 8, buffers: 16, timelines: 8, oneShots: 16, streams: 4, name });
    await domain.ready;
  },

  invite(options: { readonly name: string; readonly limit?: number }): Invitation {
    return domain.invite(options);
  },

  async join(invitation: Invitation): Promise<void> {
    domain = Domain.join(invitation);
    await domain.ready;
  },

  /** How the attempt to join ends. */
  attempt(invitation: Invitation): string {
    try {
      kept.push(Domain.join(invitation));
      return "joined";
    } catch (error) {
      return (error as Error).message;
    }
  },

  async produce(_: undefined): Promise<StreamHandleData> {
    const stream = domain.createStream({ format: rawFormat(4), buffers: 2 });
    kept.push(stream);
    (await stream.loan())!.publish();
    return stream.handle();
  },

  /** Consumes until the stream ends. */
  async consume(handle: StreamHandleData): Promise<void> {
    const consumer = domain.import(handle).frames();
    end = (async () => {
      try {
        for await (const frame of consumer) frame.close();
        return "ended";
      } catch (error) {
        return (error as DmaBufError).code;
      }
    })();
    await Promise.resolve();
  },

  ended: (_: undefined) => end,

  /** Resolves when there are no more agents than these. */
  async alone(names: readonly string[]): Promise<void> {
    await until(() => domain.agents.join() === names.join());
  },

  leave(_: undefined): void {
    domain.close();
  },

  /** Holds the buffer and writes to it for ever, without a return to the event loop. */
  write(handle: BufferHandleData): never {
    const access = domain.import(handle).accessSync("write");
    kept.push(access);
    const count = new Uint32Array(access.bytes.buffer, access.bytes.byteOffset, 1);
    realm.postMessage({});
    for (;;) count[0]!++;
  },

  /** Computes for ever. */
  compute(_: undefined): never {
    realm.postMessage({});
    for (;;);
  },
};

export type Orders = typeof orders;

realm.onmessage = ({ data: { order, details } }) => {
  void (async () => {
    try {
      const answer = await orders[order](details);
      const port = (answer as Partial<Invitation> | undefined)?.port;
      realm.postMessage({ answer }, port === undefined ? [] : [port]);
    } catch (error) {
      realm.postMessage({ error: String(error) });
    }
  })();
};
