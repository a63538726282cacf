import type { TraceEvent, TraceFile } from "dmabuf/node";

/** How many fences one signal ends that get an arrow. */
const MOST_AT_ONCE = 64;

/**
 * The arrows of a trace: from a fence's submission to its signal, and on to each agent that waited for it; from a frame's
 * publication to each agent that took it.
 *
 * @returns The arrows that go through an event, by their numbers.
 */
export function flowsOf(files: readonly TraceFile[]): ReadonlyMap<TraceEvent, readonly number[]> {
  const numbers = new Map<string, number>();
  const flows = new Map<TraceEvent, number[]>();
  const join = (event: TraceEvent, key: string): void => {
    const number = numbers.get(key) ?? numbers.size + 1;
    numbers.set(key, number);
    flows.set(event, [...(flows.get(event) ?? []), number]);
  };
  /** The fences of a context that were submitted and have not signaled. */
  const submitted = new Map<number, number[]>();
  for (const event of inOrder(files)) {
    const { point, context = 0, seqno = 0, thing, frame } = event;
    switch (point) {
      case "fence:init":
      case "fence:emit":
      case "queue:push": {
        const pending = submitted.get(context) ?? [];
        submitted.set(context, pending);
        // The first that is seen of it is its submission.
        if (pending.includes(seqno)) break;
        pending.push(seqno);
        join(event, `fence ${thing}`);
        break;
      }
      case "fence:signaled": {
        const pending = submitted.get(context) ?? [];
        const ended = pending.filter((number) => number <= seqno);
        submitted.set(
          context,
          pending.filter((number) => number > seqno),
        );
        const all = new Set([...ended.slice(-MOST_AT_ONCE), seqno]);
        for (const number of all) join(event, `fence ${context}:${number}`);
        break;
      }
      case "fence:wait-end":
        if (event.result !== "timed-out") join(event, `fence ${thing}`);
        break;
      case "stream:publish":
      case "stream:take":
        join(event, `frame ${thing} ${frame}`);
        break;
      default:
    }
  }
  return flows;
}

/** All events, in the order of their times. */
export function inOrder(files: readonly TraceFile[]): TraceEvent[] {
  return files.flatMap(({ events }) => events).sort((one, other) => one.at - other.at);
}
