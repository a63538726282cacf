import { RESULT_DETAIL } from "../domain/trace-points.js";
import { POINT, trace, traces, type Traced } from "../domain/tracing.js";

/** What a fence's events say of it. */
export interface TracedFence {
  readonly context: number;
  readonly seqno: number;
  readonly timelineName: string;
}

/** @param detail A positive errno, or how a wait has ended. */
export function traceFence(
  agent: Traced,
  point: number,
  { context, seqno, timelineName }: TracedFence,
  detail = 0,
  at?: number,
): void {
  trace(agent, point, context, seqno, detail, timelineName, at);
}

/** What is told of a wait for fences: it begins now, and the result says that it has ended. */
export type WaitEnd = (isSignaled: boolean | undefined) => void;

/** Begins to trace a wait, where a sink wants that; to be asked while one listens to the agent. @param pending The fences. */
export function traceWait(agent: Traced, pending: readonly TracedFence[]): WaitEnd | undefined {
  if (!traces(agent, POINT["fence:wait-start"]) && !traces(agent, POINT["fence:wait-end"])) return undefined;
  if (traces(agent, POINT["fence:wait-start"])) {
    for (const fence of pending) traceFence(agent, POINT["fence:wait-start"], fence);
  }
  return (isSignaled) => {
    const result = isSignaled === undefined ? "failed" : isSignaled ? "signaled" : "timed-out";
    if (!traces(agent, POINT["fence:wait-end"])) return;
    for (const fence of pending) traceFence(agent, POINT["fence:wait-end"], fence, RESULT_DETAIL[result]);
  };
}

/** Traces a wait that returns to the event loop. */
export async function tracedWait(end: WaitEnd, wait: Promise<boolean>): Promise<boolean> {
  let isSignaled: boolean | undefined;
  try {
    return (isSignaled = await wait);
  } finally {
    end(isSignaled);
  }
}

/** Traces a wait that blocks. */
export function tracedWaitSync(end: WaitEnd, wait: () => boolean): boolean {
  let isSignaled: boolean | undefined;
  try {
    return (isSignaled = wait());
  } finally {
    end(isSignaled);
  }
}
