import type { ExplainedAgent, ExplainedParty, ExplainedThing, ExplanationData } from "dmabuf";
import type { SnapshotWait } from "dmabuf/node";

/**
 * Who waits for whom as a graph: agents wait for things, which other agents hold up.
 *
 * wait-graph.1. An explanation shows what an agent waits for once, as a tree. The graph has each agent and each thing once.
 * wait-graph.2. What a dead or a stopped agent holds up is stuck, what agents wait for in a circle, and what was waited for
 *     longer than the limit; and so is all that waits for what is stuck. A consumer that waits for a frame, and a producer that
 *     waits for consumers, may wait for ever: that is their work.
 * wait-graph.3. An agent's own claim of what it waits for is not in its way, and is left out.
 */

interface Marks {
  /** Whether it will not go on by itself, or has not for long. */
  readonly isStuck: boolean;
  readonly isInCircle: boolean;
}

interface WaitingAgent extends Marks {
  readonly id: string;
  readonly kind: "agent";
  readonly agent: ExplainedAgent;
  /** Whether it holds up what is stuck, and waits for nothing itself. */
  readonly isRoot: boolean;
}

interface AwaitedThing extends Marks {
  readonly id: string;
  readonly kind: "thing";
  /** As an explanation has it: "read", "fence", "loan". */
  readonly what: string;
  readonly text: string;
}

export type WaitNode = WaitingAgent | AwaitedThing;

/** From who waits to what is waited for, or from that to who holds it up. */
export interface WaitEdge extends Marks {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly kind: "waits" | "held";
  /** What the agent does, without its name. */
  readonly text: string;
  /** Since when, in monotonic nanoseconds, if that is known. */
  readonly since?: number;
  /** Where in its program. */
  readonly place?: string;
}

export interface WaitGraph {
  readonly nodes: readonly WaitNode[];
  readonly edges: readonly WaitEdge[];
  readonly isStuck: boolean;
}

/** Nanoseconds; `dmabuf explain` has the same limit. */
const LIMIT = 10e9;

/** What may last for ever. */
const PATIENT: ReadonlySet<SnapshotWait["does"]> = new Set(["awaits-frame", "awaits-consumers"]);

/** @param waits What the agents wait for, of the same moment. */
export function waitGraphOf(
  explanation: Pick<ExplanationData, "things" | "at">,
  waits: readonly SnapshotWait[] = [],
  limit = LIMIT,
): WaitGraph {
  const growing = new Growing(waits);
  for (const thing of explanation.things) growing.addTop(thing);
  return growing.marked(explanation.at - limit);
}

type Open<T> = { -readonly [Name in keyof T]: T[Name] };

class Growing {
  readonly #waits: readonly SnapshotWait[];
  readonly #agents = new Map<string, Open<WaitingAgent>>();
  readonly #things = new Map<string, Open<AwaitedThing>>();
  readonly #edges = new Map<string, Open<WaitEdge>>();
  /** Those of which one holder's end is enough. */
  readonly #any = new Set<string>();

  constructor(waits: readonly SnapshotWait[]) {
    this.#waits = waits;
  }

  addTop(thing: ExplainedThing): void {
    const id = this.#thing(thing);
    for (const agent of thing.awaitedBy) this.#waitEdge(this.#agent(agent), id, thing, agent, {});
    this.#below(thing, [id]);
  }

  /** @param path The nodes and edges from the top, to the thing. */
  #below(thing: ExplainedThing, path: readonly string[]): void {
    const id = thingId(thing);
    for (const party of thing.heldUpBy) {
      const agent = this.#agent(party.agent);
      // wait-graph.3
      const edge = isClaim(thing, party) ? undefined : this.#heldEdge(id, agent, party);
      if (party.circle && edge !== undefined) this.#markCircle([...path, edge], agent);
      for (const wait of party.waitsFor) {
        const next = this.#thing(wait.thing);
        const waits = this.#waitEdge(agent, next, wait.thing, party.agent, wait);
        this.#below(wait.thing, [...path, ...(edge === undefined ? [] : [edge]), agent, waits, next]);
      }
    }
  }

  #agent(agent: ExplainedAgent): string {
    const id = `agent ${agent.identity}`;
    if (!this.#agents.has(id)) {
      this.#agents.set(id, { id, kind: "agent", agent, isStuck: false, isInCircle: false, isRoot: false });
    }
    return id;
  }

  #thing(thing: ExplainedThing): string {
    const { kind, text, any } = thing;
    const id = thingId(thing);
    if (!this.#things.has(id)) {
      this.#things.set(id, { id, kind: "thing", what: kind, text, isStuck: false, isInCircle: false });
    }
    if (any) this.#any.add(id);
    return id;
  }

  #waitEdge(
    from: string,
    to: string,
    thing: ExplainedThing,
    { identity }: ExplainedAgent,
    known: { readonly since?: number; readonly place?: string },
  ): string {
    const id = `${from} > ${to}`;
    const told = this.#waits.find((wait) => wait.agent === identity && isWait(wait) && wait.text.endsWith(thing.text));
    const since = known.since ?? told?.since ?? this.#edges.get(id)?.since;
    const place = known.place ?? told?.place ?? this.#edges.get(id)?.place;
    return this.#edge({ id, from, to, kind: "waits", text: `waits for ${thing.text}` }, since, place);
  }

  #heldEdge(from: string, to: string, { text, since, place }: ExplainedParty): string {
    return this.#edge({ id: `${from} > ${to}`, from, to, kind: "held", text }, since, place);
  }

  #edge(edge: Omit<WaitEdge, keyof Marks>, since: number | undefined, place: string | undefined): string {
    const before = this.#edges.get(edge.id);
    this.#edges.set(edge.id, {
      ...edge,
      ...(since !== undefined && { since }),
      ...(place !== undefined && { place }),
      isStuck: false,
      isInCircle: before?.isInCircle === true,
    });
    return edge.id;
  }

  #markCircle(path: readonly string[], agent: string): void {
    const from = path.indexOf(agent);
    for (const id of from < 0 ? [agent] : path.slice(from)) {
      const part = this.#agents.get(id) ?? this.#things.get(id) ?? this.#edges.get(id);
      if (part !== undefined) part.isInCircle = true;
    }
  }

  marked(before: number): WaitGraph {
    const edges = [...this.#edges.values()];
    for (const node of this.#agents.values()) {
      node.isStuck = node.isInCircle || node.agent.state === "dead" || node.agent.state === "stopped";
    }
    for (const node of this.#things.values()) node.isStuck = node.isInCircle || this.#isLong(node, before);
    while (this.#spread(edges));
    for (const edge of edges) edge.isStuck = edge.isInCircle || this.#isStuckEdge(edge);
    for (const node of this.#agents.values()) {
      const waits = edges.some(({ from }) => from === node.id);
      node.isRoot = !waits && edges.some(({ to, from }) => to === node.id && this.#things.get(from)?.isStuck === true);
    }
    // In an order that stays, so that nothing moves in the graph.
    const nodes = [...this.#agents.values(), ...this.#things.values()].sort(byId);
    return { nodes, edges: edges.sort(byId), isStuck: nodes.some(({ kind, isStuck }) => kind === "thing" && isStuck) };
  }

  #isLong({ text }: AwaitedThing, before: number): boolean {
    return this.#waits.some(
      (wait) =>
        isWait(wait) && !PATIENT.has(wait.does) && (wait.since ?? Infinity) < before && wait.text.endsWith(` ${text}`),
    );
  }

  /** One step up from what is stuck to what waits for it. @returns Whether there was one. */
  #spread(edges: readonly WaitEdge[]): boolean {
    let isChanged = false;
    const mark = (node: Open<WaitNode>): void => {
      node.isStuck = true;
      isChanged = true;
    };
    for (const node of this.#things.values()) {
      if (node.isStuck) continue;
      const holders = edges.filter(({ from }) => from === node.id).map(({ to }) => this.#agents.get(to)?.isStuck);
      const isHeld = this.#any.has(node.id) ? holders.every(Boolean) : holders.some(Boolean);
      if (holders.length > 0 && isHeld) mark(node);
    }
    for (const node of this.#agents.values()) {
      if (node.isStuck) continue;
      if (edges.some(({ from, to }) => from === node.id && this.#things.get(to)?.isStuck === true)) mark(node);
    }
    return isChanged;
  }

  #isStuckEdge({ kind, from, to }: WaitEdge): boolean {
    const thing = this.#things.get(kind === "waits" ? to : from);
    if (thing?.isStuck !== true) return false;
    // Who holds up what is stuck and waits for nothing is to blame, also if it lives.
    const agent = this.#agents.get(kind === "waits" ? from : to);
    return kind === "waits" || agent?.isStuck === true || ![...this.#edges.values()].some((edge) => edge.from === to);
  }
}

/** Things have no number in an explanation: two of the same kind and name are one here. */
function thingId({ kind, text }: ExplainedThing): string {
  return `${kind} ${text}`;
}

function isWait({ does }: SnapshotWait): boolean {
  return does.startsWith("awaits-");
}

/** It waits for the same, and then is not in its own way. */
function isClaim(thing: ExplainedThing, { agent, waitsFor }: ExplainedParty): boolean {
  const same = waitsFor.find((wait) => thingId(wait.thing) === thingId(thing));
  return same !== undefined && !same.thing.heldUpBy.some((party) => party.agent.identity === agent.identity);
}

function byId({ id: one }: { readonly id: string }, { id: other }: { readonly id: string }): number {
  return one < other ? -1 : Number(one > other);
}
