/** The consumer of `worklet.suite.ts`, on the thread that renders sound. */
import { Domain, type DmaBufError, type Invitation, type StreamHandleData } from "../../../src/index.js";

/** What the worklet has found. */
export interface Findings {
  /** Which globals are not there. */
  readonly lacks: readonly string[];
  /** How a look, a wait that would block, and a wait with a limit have ended. */
  readonly looked: string;
  readonly blocked: string;
  readonly waited: string;
  /** How an invitation of another thread has. */
  readonly invited: string;
  readonly blocks: readonly number[];
}

/** As much of a browser's `MessagePort` as is used. */
export interface Port {
  postMessage(message: unknown, transfer?: readonly unknown[]): void;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
}

interface Worklet {
  readonly AudioWorkletProcessor: new () => { readonly port: Port };
  readonly registerProcessor: (name: string, processor: new () => object) => void;
}

const { AudioWorkletProcessor, registerProcessor } = globalThis as unknown as Worklet;

registerProcessor(
  "consumer",
  class extends AudioWorkletProcessor {
    constructor() {
      super();
      const { port } = this;
      port.onmessage = ({ data }) => {
        const { invitation, handle } = data as { invitation: Invitation; handle: StreamHandleData };
        void consume(invitation, handle)
          .catch((error: unknown) => String(error))
          .then((findings) => port.postMessage(findings));
      };
    }
  },
);

async function consume(invitation: Invitation, handle: StreamHandleData): Promise<Findings> {
  const domain = Domain.join(invitation);
  const stream = domain.import(handle);
  const consumer = stream.frames();
  const lacks = ["performance", "setTimeout"].filter((name) => !(name in globalThis));
  const other = domain.createStream({ format: stream.format, buffers: 1 }).frames();
  const looked = codeOf(() => other.nextSync({ timeout: 0 }));
  const blocked = codeOf(() => other.nextSync({ timeout: 1000 }));
  const waited = await other.next({ timeout: 50 }).then(
    () => "a frame",
    (error: DmaBufError) => error.code,
  );
  const invited = codeOf(() => domain.invite());
  const blocks: number[] = [];
  for (let frame = await consumer.next(); frame !== undefined; frame = await consumer.next()) {
    blocks.push(frame.bytes[0]!);
    frame[Symbol.dispose]();
  }
  domain.close();
  return { lacks, looked, blocked, waited, invited, blocks };
}

function codeOf(run: () => unknown): string {
  try {
    run();
    return "nothing";
  } catch (error) {
    return (error as DmaBufError).code ?? String(error);
  }
}
