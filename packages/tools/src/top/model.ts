import type { DomainObserver, DomainSnapshot } from "dmabuf/node";
import { endedText, hasEnded, momentData } from "../domain/agents.js";
import { measure } from "../domain/measure.js";
import type { StreamRates } from "../domain/stream-rates.js";
import { isStuck } from "../domain/stuck.js";
import { counted, paint, printable, rateText, sizeText } from "../terminal/words.js";

/** What `top` shows of one moment. */
export interface TopModel {
  readonly snapshot: DomainSnapshot;
  readonly rates: readonly StreamRates[];
  /** Who holds up what, if something is stuck. */
  readonly stuck: string | undefined;
  /** No agent lives any more: this is what they have left. */
  readonly ended: boolean;
}

/**
 * Looks at a domain for some time.
 *
 * @param time Milliseconds.
 * @param limit Seconds after which what is held up is stuck.
 */
export async function lookFor(
  observer: DomainObserver,
  time: number,
  limit: number,
  signal?: AbortSignal,
): Promise<TopModel> {
  const { snapshot, rates } = await measure(observer, time, signal);
  const explanation = observer.explain();
  const stuck = isStuck(explanation.toJSON(), snapshot.waits, limit) ? explanation.sentence : undefined;
  return { snapshot, rates, stuck, ended: hasEnded(snapshot) };
}

/** The sums, for programs. */
export function summaryData({ snapshot, rates, stuck, ended }: TopModel): object {
  const { agents, buffers, fences } = snapshot;
  const inState = (state: string): number => agents.filter((agent) => agent.state === state).length;
  return {
    ...momentData(snapshot),
    ended,
    stuck: stuck !== undefined,
    ...(stuck !== undefined && { sentence: stuck }),
    agents: { live: inState("live"), stopped: inState("stopped"), dead: inState("dead") },
    buffers: { count: buffers.length, bytes: bytesOf(snapshot) },
    fences: { pending: fences.length, overdue: fences.filter(({ overdue }) => overdue).length },
    streams: rates.map(({ stream: { name, slot, generation, published, consumers }, rate }) => ({
      name,
      slot,
      generation,
      published,
      ...(rate !== undefined && { rate }),
      consumers: consumers.length,
      behind: Math.max(0, ...consumers.map(({ behind }) => behind)),
    })),
  };
}

/** The sums, for people: two lines. */
export function summaryLines(model: TopModel): string[] {
  const { snapshot, rates, stuck, ended } = model;
  const { domain, wallClock, agents, buffers, fences, streams } = snapshot;
  const others = (["stopped", "dead"] as const)
    .map((state) => [state, agents.filter((agent) => agent.state === state).length] as const)
    .filter(([, count]) => count > 0)
    .map(([state, count]) => paint(state === "dead" ? "red" : "yellow", `${count} ${state}`));
  const pace = rates.reduce((sum, { rate = 0 }) => sum + rate, 0);
  const overdue = fences.filter((fence) => fence.overdue).length;
  const facts = [
    `domain ${domain.slice(0, 8)}`,
    counted(agents.length, "agent") + (others.length === 0 ? "" : ` (${others.join(", ")})`),
    `${counted(buffers.length, "buffer")}, ${sizeText(bytesOf(snapshot))}`,
    `${counted(streams.length, "stream")}, ${rateText(pace)}`,
    `${counted(fences.length, "fence")} pending` + (overdue === 0 ? "" : paint("red", ` (${overdue} overdue)`)),
    new Date(wallClock).toTimeString().slice(0, 8),
  ];
  return [facts.join("  "), ended ? endedText(domain) : stuckText(stuck)];
}

function stuckText(stuck: string | undefined): string {
  return stuck === undefined ? paint("dim", "nothing is stuck") : paint("red", `stuck: ${printable(stuck)}`);
}

function bytesOf({ buffers }: DomainSnapshot): number {
  return buffers.reduce((sum, { size }) => sum + size, 0);
}
