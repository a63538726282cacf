import { signal, type Signal } from "@preact/signals";
import { LANE_ROLES, type LaneReport, type LaneRole, type Tick } from "../shared/messages.js";

/** What a lane shows. */
export interface LaneView {
  readonly how: string;
  readonly missing?: string | undefined;
  /** Frames a second, in the last one. */
  readonly rate: number;
  readonly missed: number;
  /** Milliseconds. */
  readonly age: number;
  readonly work: number;
  readonly values: readonly number[];
  /** What its last stream has ended with, for a while: an error's code. */
  readonly ended?: string | undefined;
}

const NOTHING: LaneView = { how: "", rate: 0, missed: 0, age: 0, work: 0, values: [] };

export const lanes = Object.fromEntries(LANE_ROLES.map((role) => [role, signal(NOTHING)])) as Readonly<
  Record<LaneRole, Signal<LaneView>>
>;

/** Frames a second, by counts that come now and then. */
export class Rate {
  #looks: { readonly at: number; readonly count: number }[] = [];

  /** @returns The rate of the last second or so. */
  add(count: number): number {
    const at = performance.now();
    const last = this.#looks.at(-1);
    if (last !== undefined && count < last.count) this.#looks = [];
    this.#looks.push({ at, count });
    while (this.#looks.length > 2 && at - this.#looks[1]!.at > WINDOW) this.#looks.shift();
    const first = this.#looks[0]!;
    return at - first.at < 200 ? 0 : ((count - first.count) * 1000) / (at - first.at);
  }

  /** The last count once more: nothing has come since. */
  idle(): number {
    const last = this.#looks.at(-1);
    return last === undefined ? 0 : this.add(last.count);
  }

  restart(): void {
    this.#looks = [];
  }
}

/** Milliseconds. */
const WINDOW = 1200;
const IDLE = 700;
/** How long the end of a stream is said. */
const SAID = 6000;

/** Pictures whose motion is shown. */
const CURVE = 240;

interface LaneState {
  readonly rate: Rate;
  lastTick: number;
  endedAt: number;
}

const states = new Map<LaneRole, LaneState>(
  LANE_ROLES.map((role) => [role, { rate: new Rate(), lastTick: 0, endedAt: 0 }]),
);

/** Frames of another stream follow, or none: what is counted begins anew. */
export function restartLane(role: LaneRole): void {
  states.get(role)!.rate.restart();
  lanes[role].value = { ...lanes[role].peek(), rate: 0, missed: 0 };
}

/** @returns Whether it is one of a lane's that does not concern the page otherwise. */
export function takeReport(role: LaneRole, report: LaneReport): void {
  const lane = lanes[role];
  if (report.kind === "how") lane.value = { ...lane.peek(), how: report.how, missing: report.missing };
  else if (report.kind === "ended") {
    states.get(role)!.endedAt = performance.now();
    lane.value = { ...lane.peek(), ended: report.code };
  } else if (report.kind === "tick") lane.value = ticked(role, report);
}

function ticked(role: LaneRole, { frames, missed, age, work, values = [] }: Tick): LaneView {
  const state = states.get(role)!;
  state.lastTick = performance.now();
  const before = lanes[role].peek();
  const shown = role === "motion" ? [...before.values, ...values].slice(-CURVE) : values;
  return { ...before, rate: state.rate.add(frames), missed, age, work, values: shown };
}

/** A lane that has told nothing for a while has no rate; an end of long ago is not said any more. */
export function lookForIdle(): void {
  for (const [role, { rate, lastTick, endedAt }] of states) {
    const lane = lanes[role];
    const isLongAgo = performance.now() - endedAt > SAID;
    if (lane.peek().ended !== undefined && isLongAgo) lane.value = { ...lane.peek(), ended: undefined };
    if (lane.peek().rate > 0 && performance.now() - lastTick > IDLE) lane.value = { ...lane.peek(), rate: rate.idle() };
  }
}
