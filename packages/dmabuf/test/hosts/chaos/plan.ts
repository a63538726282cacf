import { Random } from "../../random.js";

/** The processes of a run that are struck. The first consumer makes the producer wait; the other two lose frames. */
export const PARTIES = ["producer", "agent a", "agent b", "consumer 0", "consumer 1", "consumer 2"] as const;
export type PartyName = (typeof PARTIES)[number];

/** What is done to processes, to the network and to the broker, and when. */
export type Blow = { readonly at: number } & (
  | { readonly kind: "kill"; readonly party: PartyName }
  | { readonly kind: "stop"; readonly party: PartyName; readonly ms: number }
  /** A cable is pulled for that long. */
  | { readonly kind: "cut"; readonly host: 0 | 1; readonly ms: number }
  | { readonly kind: "lose"; readonly host: 0 | 1; readonly ms: number; readonly perMille: number }
  | { readonly kind: "slow"; readonly host: 0 | 1; readonly ms: number; readonly mbits: number }
  | { readonly kind: "reset"; readonly host: 0 | 1; readonly ms: number }
  | { readonly kind: "kill broker" | "stop broker"; readonly ms: number }
);

const KINDS: readonly Blow["kind"][] = [
  ...Array<"kill">(5).fill("kill"),
  ...Array<"stop">(4).fill("stop"),
  ...(["cut", "cut", "lose", "slow", "reset", "reset", "kill broker", "stop broker"] as const),
];

/** How many blows there are of all kinds: so many in a row, and each kind was among them. */
export const ROUND = KINDS.length;

/** Milliseconds between two blows. */
const SHORTEST_PEACE = 200;
const LONGEST_PEACE = 2_500;
/** Milliseconds: some stops and cuts last longer than a host may be silent, others do not. */
const LONGEST = 2_000;
const LONGEST_RESET = 100;
const MOST_LOST = 50;
const LEAST_MBITS = 20;
const MOST_MBITS = 200;

/** The plan of a seed: always the same. A longer one begins like a shorter one. */
export function makePlan(seed: number, seconds: number): Blow[] {
  const random = new Random(seed);
  const plan: Blow[] = [];
  let kinds: Blow["kind"][] = [];
  for (let at = 0; ;) {
    at += SHORTEST_PEACE + random.below(LONGEST_PEACE - SHORTEST_PEACE);
    if (at >= seconds * 1_000) return plan;
    if (kinds.length === 0) kinds = random.shuffle(KINDS);
    const kind = kinds.pop()!;
    const [party, ms, host] = [random.pick(PARTIES), random.below(LONGEST), random.below(2) as 0 | 1];
    const amount = random.below(1_000) / 1_000;
    if (kind === "kill") plan.push({ at, kind, party });
    else if (kind === "stop") plan.push({ at, kind, party, ms });
    else if (kind === "cut") plan.push({ at, kind, host, ms });
    else if (kind === "lose") plan.push({ at, kind, host, ms, perMille: 1 + Math.floor(amount * MOST_LOST) });
    else if (kind === "slow") {
      plan.push({ at, kind, host, ms, mbits: LEAST_MBITS + Math.floor(amount * (MOST_MBITS - LEAST_MBITS)) });
    } else if (kind === "reset") plan.push({ at, kind, host, ms: 1 + Math.floor(amount * LONGEST_RESET) });
    else plan.push({ at, kind, ms });
  }
}

export function describeBlow({ at, kind, ...details }: Blow): string {
  const text = Object.entries(details).map(([name, value]) => `${name} ${value}`);
  return `${(at / 1_000).toFixed(2).padStart(6)} s: ${kind} ${text.join(", ")}`;
}
