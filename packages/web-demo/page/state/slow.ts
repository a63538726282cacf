import { signal } from "@preact/signals";
import type { LaneOrder, LaneReport, Policy } from "../shared/messages.js";
import { madeRate } from "./copied.js";
import { Rate } from "./lanes.js";
import { Member } from "./member.js";
import { feed, feedChanges } from "./session.js";
import { say, sayError } from "./troubles.js";

export const POLICIES: readonly Policy[] = ["block", "drop-oldest", "newest"];

/** How a policy went: measured while it was in force, and kept for the comparison. */
export interface PolicyView {
  /** Pictures a second of the source at that time. */
  readonly made: number;
  /** Pictures a second of the slow lane. */
  readonly rate: number;
  readonly missed: number;
  /** How old a picture was when the slow lane was done with it, in milliseconds. */
  readonly age: number;
}

/** The policy that is in force; none without a slow lane. */
export const policy = signal<Policy | undefined>(undefined);
/** How long the slow lane keeps a picture, in milliseconds. */
export const delay = signal(200);
export const policyViews = signal<Readonly<Partial<Record<Policy, PolicyView>>>>({});

const rate = new Rate();

const slow = new Member<LaneReport>("slow", {
  onReport: (report) => {
    if (report.kind === "trouble") return say("slow", report.trouble);
    const current = policy.peek();
    if (report.kind !== "tick" || current === undefined) return;
    const { missed, age } = report;
    const view = { made: madeRate.peek(), rate: rate.add(report.frames), missed, age };
    policyViews.value = { ...policyViews.peek(), [current]: view };
  },
  onJoined: tellStream,
  onFailed: (error) => sayError("slow", error),
});

/** A slow lane with this policy looks at the pictures from now on; with none, none does. */
export function tryPolicy(next: Policy | undefined): void {
  policy.value = next;
  rate.restart();
  if (next === undefined) return tell({ kind: "nothing" });
  if (slow.isRunning) tellStream();
  else void slow.start();
}

export function setDelay(ms: number): void {
  delay.value = ms;
  tell({ kind: "delay", ms });
}

function tellStream(): void {
  const [current, taken] = [feed.peek(), policy.peek()];
  if (current === undefined || taken === undefined || current.stream.isClosed) return;
  rate.restart();
  tell({ kind: "delay", ms: delay.peek() });
  tell({ kind: "stream", handle: current.stream.handle(), memory: current.memory, policy: taken });
}

function tell(order: LaneOrder): void {
  slow.order(order);
}

feedChanges.addEventListener("stream", () => {
  if (slow.isRunning) tellStream();
});
