/** An agent, as an explanation names it. */
export interface ExplainedAgent {
  /** The agent's name; "" once its slot is another one's. */
  readonly name: string;
  /** Names the agent to the domain's other ones. */
  readonly identity: number;
  /** The number of its process, if its host knows that. */
  readonly process?: number;
  /**
   * `"here"` is the agent that asks, `"stopped"` one whose process is stopped (state T), `"dead"` one that has died and whose
   * things are being given back; `"live"` are all others.
   */
  readonly state: "here" | "live" | "stopped" | "dead";
}

/** Something that is waited for. */
export interface ExplainedThing {
  /** As `"fence"`, `"buffer"`, `"lock"`, `"loan"`: what comes may be more in later versions. */
  readonly kind: string;
  /** What it is called: `buffer "frame"`. */
  readonly text: string;
  /** Whether one of those that hold it up is enough, when it ends: so it is with the buffers of a stream. */
  readonly any: boolean;
  /** Who holds it up; empty if no agent is known to. */
  readonly heldUpBy: readonly ExplainedParty[];
  /** The agents that wait for it just now, as far as it is known. */
  readonly awaitedBy: readonly ExplainedAgent[];
}

/** An agent that holds something up, and what it waits for itself. */
export interface ExplainedParty {
  /** Which agent it is. */
  readonly agent: ExplainedAgent;
  /** What it does, without the agent: `holds a write access of buffer "frame"`. */
  readonly text: string;
  /** Since when, in monotonic nanoseconds, to a tenth of a second; absent for what is short, or not known. */
  readonly since?: number;
  /** Where its program began that, if it runs with `DMABUF_DEBUG=1`: `/app/detector.js:88:21`. */
  readonly place?: string;
  /** What it waits for itself; empty if that is nothing in this domain, or shown elsewhere. */
  readonly waitsFor: readonly ExplainedWait[];
  /** Whether it is one of those above in the tree, which wait for one another in a circle. */
  readonly circle: boolean;
  /** Whether what it waits for is shown elsewhere in the tree, and not again here. */
  readonly shown: boolean;
}

/** A wait of an agent. */
export interface ExplainedWait {
  /** What it waits for, and who holds that up. */
  readonly thing: ExplainedThing;
  /** Since when, as {@link ExplainedParty.since}. */
  readonly since?: number;
  /** Where its program began to wait, as {@link ExplainedParty.place}. */
  readonly place?: string;
  /** Whether its thread is blocked until then; otherwise its event loop turns. */
  readonly blocks: boolean;
  /** Whether the agent has said so. Otherwise it has asked to be woken, and may have gone on since. */
  readonly sure: boolean;
}

/** An explanation as plain data; see `docs/explain.md`. */
export interface ExplanationData {
  /** 1: a higher number has other fields. */
  readonly version: 1;
  /** What holds it up, in one sentence. */
  readonly sentence: string;
  /** When it was so, in monotonic nanoseconds. */
  readonly at: number;
  /** What was asked about. */
  readonly things: readonly ExplainedThing[];
  /** The agent that holds up all the rest; absent if there is none. */
  readonly root?: ExplainedAgent;
}

/** @param data What was found, without the words for it. */
export let makeExplanation: (data: Omit<ExplanationData, "version" | "sentence">) => Explanation;

/**
 * Who waits for whom, since when and why, to the agent at the root of it: see {@link Domain.explain}. It is of the moment at
 * which it was made.
 *
 * @example
 * ```ts
 * import { Domain } from "dmabuf";
 *
 * using domain = Domain.create();
 * const fence = domain.createTimeline({ name: "gpu" }).createFence();
 * const handle = fence.handle();
 * const explanation = domain.explain(domain.import(handle));
 * console.log(explanation.sentence); // this thread ("main") has not signaled fence 1:1 of timeline "gpu", …
 * console.log(explanation.root?.name, explanation.tree, JSON.stringify(explanation));
 * ```
 */
export class Explanation {
  readonly #data: ExplanationData;

  static {
    makeExplanation = (data) => new Explanation(data);
  }

  private constructor(data: Omit<ExplanationData, "version" | "sentence">) {
    this.#data = { version: 1, sentence: sentenceOf(data.things, data.at), ...data };
  }

  /** What holds it up, in one sentence, from what was asked about to the agent at the root. */
  get sentence(): string {
    return this.#data.sentence;
  }

  /** All that is known, as lines of text: who waits is above whom it waits for. */
  get tree(): string {
    return this.#data.things.flatMap((thing) => thingLines(thing, this.#data.at)).join("\n");
  }

  /** The agent that holds up all the rest; `undefined` if none is known. */
  get root(): ExplainedAgent | undefined {
    return this.#data.root;
  }

  /** The sentence, and the tree below it. */
  toString(): string {
    return `${this.sentence}\n${this.tree}`;
  }

  /** As plain data, for tools. */
  toJSON(): ExplanationData {
    return this.#data;
  }
}

/** From a thing down to an agent that waits for nothing, or that closes a circle. */
export interface PathStep {
  readonly thing: ExplainedThing;
  readonly party: ExplainedParty | undefined;
}

/** The way to the worst: a dead or stopped agent, a circle, then what has lasted longest. */
export function mainPath(things: readonly ExplainedThing[]): readonly PathStep[] {
  const best = pathsOf(things).reduce((one, other) => (isWorse(other, one) ? other : one), NO_PATH);
  return best.steps;
}

interface Path {
  readonly steps: readonly PathStep[];
  readonly rank: number;
  readonly since: number;
}

const NO_PATH: Path = { steps: [], rank: -1, since: Infinity };

function isWorse(one: Path, other: Path): boolean {
  return one.rank > other.rank || (one.rank === other.rank && one.since < other.since);
}

function pathsOf(things: readonly ExplainedThing[]): Path[] {
  return things.flatMap((thing): Path[] => {
    if (thing.heldUpBy.length === 0) return [{ steps: [{ thing, party: undefined }], rank: 0, since: Infinity }];
    return thing.heldUpBy.map((party) => {
      const step = { thing, party };
      const since = party.since ?? Infinity;
      const below = pathsOf(party.waitsFor.map((wait) => wait.thing)).filter(({ rank }) => rank > 0);
      if (below.length === 0) return { steps: [step], rank: rankOf(party), since };
      const { steps, rank, since: later } = below.reduce((one, other) => (isWorse(other, one) ? other : one));
      return { steps: [step, ...steps], rank, since: Math.min(since, later) };
    });
  });
}

function rankOf({ agent, circle, shown }: ExplainedParty): number {
  if (agent.state === "dead" || agent.state === "stopped") return 4;
  if (circle) return 3;
  return shown ? 1 : 2;
}

function sentenceOf(things: readonly ExplainedThing[], at: number): string {
  if (things.length === 0) return "nothing is waited for";
  return mainPath(things)
    .map(({ thing, party }, i, path) => {
      if (party === undefined) return `no agent is known to hold up ${thing.text}`;
      const others = thing.heldUpBy.length - 1;
      const besides = others === 0 ? "" : ` (and ${others === 1 ? "one other does" : `${others} others do`} so)`;
      return `${agentText(party.agent)} ${lasting(party, at)}${besides}${endOf(party, path[i + 1]?.thing, at)}`;
    })
    .join("; ");
}

/** What a clause ends with: what the agent waits for. */
function endOf(party: ExplainedParty, next: ExplainedThing | undefined, at: number): string {
  if (party.circle) return ", which closes the circle";
  if (party.agent.state === "dead") return ", and is being recovered";
  const wait = party.waitsFor.find(({ thing }) => thing === next);
  if (wait !== undefined) return `, and ${waitText(wait, at)}`;
  if (party.shown || party.waitsFor.length > 0) return "";
  return party.agent.state === "stopped" ? "" : ", and waits for nothing in this domain";
}

function thingLines(thing: ExplainedThing, at: number): string[] {
  const waiting = thing.awaitedBy.map((agent) => agentText(agent));
  const awaited =
    waiting.length === 0 ? "" : `, for which ${waiting.join(", ")} ${waiting.length > 1 ? "wait" : "waits"}`;
  const held = thing.heldUpBy.length === 0 ? ": no agent is known to hold it up" : "";
  return [`${thing.text}${awaited}${held}`, ...indented(thing.heldUpBy.flatMap((party) => partyLines(party, at)))];
}

function partyLines(party: ExplainedParty, at: number): string[] {
  const note = party.circle ? " (a circle)" : party.shown ? " (see above)" : "";
  const line = `${agentText(party.agent)} ${lasting(party, at)}${note}`;
  if (party.circle || party.shown) return [line];
  const { state } = party.agent;
  if (party.waitsFor.length === 0)
    return [state === "dead" || state === "stopped" ? line : `${line}, and waits for nothing`];
  const waits = party.waitsFor.flatMap((wait) => {
    const [, ...below] = thingLines(wait.thing, at);
    return [waitText(wait, at), ...below];
  });
  return [line, ...indented(waits)];
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}

function agentText({ name, process, state }: ExplainedAgent): string {
  const named = name === "" ? "an agent without a name" : `"${name}"`;
  if (state === "here") return `this thread (${named})`;
  const isNamedSo = process !== undefined && name === `process ${process}`;
  const agent = process === undefined ? `agent ${named}` : isNamedSo ? name : `process ${process} (${named})`;
  if (state === "dead") return `${agent}, which is dead,`;
  return state === "stopped" ? `${agent}, which is stopped,` : agent;
}

function waitText({ thing, since, place, sure }: ExplainedWait, at: number): string {
  const wait = `${sure ? "waits" : "seems to wait"} ${WAITS[thing.kind] ?? "for"}`;
  return `${wait} ${thing.text}${duration(since, at)}${placeText(" at", place)}`;
}

const WAITS: Readonly<Record<string, string>> = { read: "to read", write: "to write" };

function lasting({ text, since, place }: ExplainedParty, at: number): string {
  return `${text}${duration(since, at)}${placeText(", taken at", place)}`;
}

/** Times are right to a tenth of a second. */
function duration(since: number | undefined, at: number): string {
  if (since === undefined) return "";
  const seconds = Math.max(0, at - since) / 1e9;
  return ` for ${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
}

/** The file's own name is enough for people. */
function placeText(before: string, place: string | undefined): string {
  if (place === undefined) return "";
  return `${before} ${place.replace(/^.*[/\\]/, "").replace(/:\d+$/, "")}`;
}
