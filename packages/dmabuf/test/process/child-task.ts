import type { FenceHandle, BufferHandleData, SoftwareTimelineHandle, StreamHandleData } from "../../src/index.js";
import type { ProcessDomain } from "../../src/node/index.js";

/** What a process that may die is sent to do, and what it needs for it. */
export interface Errand {
  readonly place: string;
  readonly task: string;
  /** The number of the step before which it dies; 0 for none. */
  readonly at: number;
  readonly buffers: readonly [BufferHandleData, BufferHandleData];
  readonly handle: BufferHandleData;
  readonly stream: StreamHandleData;
  readonly streamName: string;
  readonly timeline: SoftwareTimelineHandle;
  readonly fence: FenceHandle;
}

/** What an agent of a process does from its first step on. All else, see mortal-tasks.ts, it does when it has joined. */
export const JOINING_TASKS: Record<string, (join: () => Promise<ProcessDomain>, errand: Errand) => Promise<void>> = {
  async "joins the domain and leaves it"(join) {
    (await join()).close();
  },
  async "listens at a place of its own"(join, { place }) {
    const domain = await join();
    domain.listen(`${place}.mortal`);
    domain.close();
  },
  async "finds a stream by its name and takes a frame"(join, { streamName }) {
    using stream = await (await join()).findStream(streamName, { timeout: 30_000 });
    using consumer = stream.frames();
    using _frame = await consumer.next({ timeout: 30_000 });
  },
  async "imports what was sent before it joined"(join, { handle }) {
    using _buffer = (await join()).import(handle);
  },
};
