/** The consumer of `worklet.suite.ts`, on the thread that renders sound. */
import { Domain, type DmaBufError, type Invitation, type StreamHandleData } from "../../../../src/index.js";
import { canBlock } from "../../../../src/substrate/shared-array.js";

/** What the worklet has found. */
export interface Findings {
  /** Which globals are not there. */
  readonly lacks: readonly string[];
  /** Whether the engine lets this thread block. */
  readonly mayBlock: boolean;
  /** How a look, and a wait that would block, have ended. */
  readonly looked: string;
  readonly blocked: string;
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

/** Answers with what comes of the work that a message asks for. */
function register(name: string, work: (invitation: Invitation, handle: StreamHandleData) => Promise<unknown>): void {
  const processor = class extends AudioWorkletProcessor {
    constructor() {
      super();
      const { port } = this;
      port.onmessage = ({ data }) => {
        // What comes after that only wakes the thread.
        port.onmessage = null;
        const { invitation, handle } = data as { invitation: Invitation; handle: StreamHandleData };
        void work(invitation, handle)
          .catch((error: unknown) => String(error))
          .then((answer) => port.postMessage(answer));
      };
    }
  };
  registerProcessor(name, processor);
}

register("consumer", consume);
register("limited", waitWithLimit);

// Takes a frame and keeps it, whatever becomes of its context.
register("keeper", async (invitation, handle) => {
  const domain = Domain.join(invitation);
  const frame = await domain.import(handle).frames().next();
  kept.push(domain, frame);
  return frame?.sequence;
});

const kept: unknown[] = [];

async function consume(invitation: Invitation, handle: StreamHandleData): Promise<Findings> {
  const domain = Domain.join(invitation);
  const stream = domain.import(handle);
  const consumer = stream.frames();
  const lacks = ["performance", "setTimeout"].filter((name) => !(name in globalThis));
  const other = domain.createStream({ format: stream.format, buffers: 1 }).frames();
  const looked = codeOf(() => other.nextSync({ timeout: 0 }));
  const blocked = codeOf(() => other.nextSync({ timeout: 1000 }));
  const invited = codeOf(() => domain.invite());
  const blocks: number[] = [];
  for (let frame = await consumer.next(); frame !== undefined; frame = await consumer.next()) {
    blocks.push(frame.bytes[0]!);
    frame[Symbol.dispose]();
  }
  domain.close();
  return { lacks, mayBlock: canBlock(), looked, blocked, invited, blocks };
}

async function waitWithLimit(invitation: Invitation, handle: StreamHandleData): Promise<string> {
  const consumer = Domain.join(invitation).import(handle).frames();
  return consumer.next({ timeout: 50 }).then(
    () => "a frame",
    (error: DmaBufError) => error.code,
  );
}

function codeOf(run: () => unknown): string {
  try {
    run();
    return "nothing";
  } catch (error) {
    return (error as DmaBufError).code ?? String(error);
  }
}
