import { signal } from "@preact/signals";
import type { DomainSnapshot } from "dmabuf/node";
import { Lane, laneKey } from "../../src/timelines/lane.js";

/** How many timelines are kept that are there no more. */
const MOST_GONE = 256;

/** `ring 9` is before `ring 10`. */
const ORDER = new Intl.Collator(undefined, { numeric: true });

let domain = "";
let latest = 0;
const byKey = new Map<string, Lane>();

/** Raised with each change. */
const version = signal(0);

/** What is known of the timelines that were seen, in the order of their names. */
export function lanes(): readonly Lane[] {
  void version.value;
  return [...byKey.values()].sort(
    ({ timeline: one }, { timeline: other }) => ORDER.compare(one.name, other.name) || one.slot - other.slot,
  );
}

/** Takes what is new in some snapshots, which are in the order of their times. */
export function collect(snapshots: readonly DomainSnapshot[]): void {
  const last = snapshots.at(-1);
  if (last === undefined) return;
  if (last.domain !== domain) {
    domain = last.domain;
    latest = 0;
    byKey.clear();
  }
  const fresh = snapshots.filter(({ at }) => at > latest);
  if (fresh.length === 0) return;
  for (const { timelines } of fresh) for (const timeline of timelines) laneOf(timeline).add(timeline);
  latest = last.at;
  forgetGone(last);
  version.value++;
}

function laneOf(timeline: DomainSnapshot["timelines"][number]): Lane {
  const key = laneKey(timeline);
  const known = byKey.get(key);
  if (known !== undefined) return known;
  const lane = new Lane(timeline);
  byKey.set(key, lane);
  return lane;
}

/** A program that makes timelines all the time fills no memory. */
function forgetGone({ timelines }: DomainSnapshot): void {
  const present = new Set(timelines.map(laneKey));
  const gone = [...byKey.values()].filter(({ key }) => !present.has(key));
  gone.sort((one, other) => one.lastEnd - other.lastEnd);
  for (const { key } of gone.slice(0, Math.max(0, gone.length - MOST_GONE))) byKey.delete(key);
}
