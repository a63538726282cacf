import { Random } from "../../random.js";

/** What is done to the processes of a chaos run, and when. */
export type Blow = { readonly at: number; readonly party: number } & (
  | { readonly kind: "kill" | "kill listener" | "leave" | "exit" | "visit" | "terminate" }
  | { readonly kind: "stop"; readonly ms: number }
  /** It is killed, and its reaper stops before that step of the recovery, or at 0 when it has claimed the slot. */
  | { readonly kind: "stop reaper"; readonly step: number }
  | { readonly kind: "replace"; readonly buffer: number }
);

/** Processes, unless a run has fewer. */
export const PARTIES = 6;
/** More parties, behind those: on each sits a thread of a process that outlives it. */
export const THREADS = 2;
export const BUFFER_SLOTS = 24;
/** One stream is produced on each of the first parties. */
export const STREAMS = ["east", "west"] as const;

const KINDS: readonly Blow["kind"][] = [
  ...Array<"kill">(8).fill("kill"),
  ...Array<"stop">(5).fill("stop"),
  ...Array<"replace">(3).fill("replace"),
  ...Array<"terminate">(6).fill("terminate"),
  "stop reaper",
  "stop reaper",
  "kill listener",
  "kill listener",
  "leave",
  "exit",
  "visit",
  "visit",
];

/** Milliseconds between two blows. */
const SHORTEST_PEACE = 50;
const LONGEST_PEACE = 450;
/** Milliseconds. */
const LONGEST_STOP = 1_500;

/** A recovery has about so many steps. */
const LAST_STEP = 1_000;

/**
 * The plan of a seed: always the same. A longer one begins like a shorter one.
 *
 * @param kinds What is done, each as often as it is there. Default: all of it.
 * @param parties To how many processes.
 */
export function makePlan(seed: number, seconds: number, kinds = KINDS, parties = PARTIES): Blow[] {
  const random = new Random(seed);
  const plan: Blow[] = [];
  let left: Blow["kind"][] = [];
  for (let at = 0; ;) {
    at += SHORTEST_PEACE + random.below(LONGEST_PEACE - SHORTEST_PEACE);
    if (at >= seconds * 1_000) return plan;
    // Shuffled, not picked: so a short run has some of each kind.
    if (left.length === 0) left = random.shuffle(kinds);
    const [kind, party] = [left.pop()!, random.below(parties)];
    if (kind === "stop") plan.push({ at, party, kind, ms: random.below(LONGEST_STOP) });
    else if (kind === "stop reaper") plan.push({ at, party, kind, step: random.below(2) * random.below(LAST_STEP) });
    else if (kind === "replace") plan.push({ at, party, kind, buffer: random.below(BUFFER_SLOTS) });
    else if (kind === "leave" || kind === "exit") plan.push({ at, party: random.below(parties + THREADS), kind });
    else if (kind === "terminate") plan.push({ at, party: parties + random.below(THREADS), kind });
    else plan.push({ at, party, kind });
  }
}

export function describeBlow(blow: Blow): string {
  const { at, party, kind } = blow;
  const detail = detailOf(blow);
  return `${(at / 1000).toFixed(2).padStart(6)} s: ${kind}${kind === "kill listener" ? "" : ` at party ${party}`}${detail}`;
}

function detailOf(blow: Blow): string {
  if (blow.kind === "stop") return `, ${blow.ms} ms`;
  if (blow.kind === "stop reaper") return blow.step === 0 ? ", with its claim" : `, step ${blow.step}`;
  return blow.kind === "replace" ? `, buffer ${blow.buffer}` : "";
}
