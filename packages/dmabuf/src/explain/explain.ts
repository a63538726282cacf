import { agentName, isLive, slotOf, type Identity } from "../domain/agent-slot.js";
import { AGENT, type Segment } from "../domain/layout.js";
import {
  mainPath,
  makeExplanation,
  type ExplainedAgent,
  type ExplainedParty,
  type ExplainedThing,
  type ExplainedWait,
  type Explanation,
} from "../explanation.js";
import type { Host } from "../host/host.js";
import { storedActivities } from "./activity-slot.js";
import { holdersOf, isAnyEnough, type Found, type Holder } from "./holders.js";
import { describeThing, thingId, type Thing } from "./thing.js";
import { waitsIn, type AwaitedThing } from "./waits.js";

/** From where a domain is looked at: by an agent, or from outside. */
export interface ExplainView extends Segment {
  /** The agent that looks; 0 if it is none. */
  readonly identity: Identity;
  readonly host: Pick<Host, "nowNs" | "isStopped" | "processId">;
  /** The process of an agent, if that is known better than by what the agent has stored. */
  readonly processOf?: (identity: Identity) => number | undefined;
}

/**
 * Explains what holds things up: the walk goes from a thing to the agents that hold it up, from each of those to what it
 * waits for, and so on.
 *
 * explain.1. It only reads shared words, and asks nothing of any agent: so it works although they are stopped or hang.
 * explain.2. Agents are the parties: of an agent that does several things at a time, what one waits for may not be what
 *     another one holds.
 * explain.3. What an agent waits for is shown once: elsewhere the tree says that it was, or that a circle is closed.
 *
 * @param things What is explained. Default: all that any agent waits for.
 * @param waiter The agent that waits for it.
 */
export function explainFrom(view: ExplainView, things?: readonly Thing[], waiter: Identity = 0): Explanation {
  const walk = new Walk(view);
  const explained = (things ?? walk.awaited).map((thing) => walk.explain(thing, waiter === 0 ? [] : [waiter]));
  const last = mainPath(explained).at(-1)?.party;
  const root = last === undefined || last.circle ? undefined : last.agent;
  return makeExplanation({ at: view.host.nowNs(), things: explained, ...(root !== undefined && { root }) });
}

/** One walk: what an agent waits for is looked up once, for all of it. */
class Walk {
  readonly #view: ExplainView;
  readonly #found: Found;
  readonly #waits: ReadonlyMap<Identity, readonly AwaitedThing[]>;
  /** Those whose waits were shown. */
  readonly #shown = new Set<Identity>();

  constructor(view: ExplainView) {
    const { memory, layout, protocol, identity } = view;
    this.#view = view;
    this.#found = { memory, layout, protocol, identity, entries: storedActivities(view) };
    this.#waits = waitsIn(this.#found);
  }

  /** Each once. */
  get awaited(): readonly Thing[] {
    const things = [...this.#waits.values()].flat().map(({ thing }) => [thingId(thing), thing] as const);
    return [...new Map(things).values()];
  }

  /** @param above The agents that wait for it, from the one that was asked about on. */
  explain(thing: Thing, above: readonly Identity[]): ExplainedThing {
    const holders = this.#holders(thing, above.at(-1) ?? 0);
    return {
      kind: thing.kind,
      text: describeThing(this.#found, thing),
      any: isAnyEnough(thing) && holders.length > 1,
      heldUpBy: holders.map((holder) => this.#party(holder, thing, above)),
      awaitedBy: this.#waitersOf(thing).map((agent) => this.#agent(agent)),
    };
  }

  /** @param waiter The agent that waits for it: its own claim is not in its way (holders.2). */
  #holders(thing: Thing, waiter: Identity): Holder[] {
    const holders = holdersOf(this.#found, thing).filter(({ agent, isClaim }) => isClaim !== true || agent !== waiter);
    return [...new Map(holders.map((holder) => [`${holder.agent} ${holder.text}`, holder])).values()];
  }

  #party({ agent, text, since, place }: Holder, thing: Thing, above: readonly Identity[]): ExplainedParty {
    const waits = this.#waits.get(agent) ?? [];
    const id = thingId(thing);
    const other = waits.filter((wait) => thingId(wait.thing) !== id);
    // An agent may end by one task what another one of its tasks waits for, unless its thread is blocked.
    const isOwn = above.at(-1) === agent && !waits.some((wait) => wait.blocks);
    const circle = above.includes(agent) && !isOwn;
    const shown = !circle && this.#shown.has(agent);
    const isLeaf = circle || shown || !isLive(this.#found, agent);
    if (!isLeaf) this.#shown.add(agent);
    return {
      agent: this.#agent(agent),
      text,
      ...(since !== undefined && { since }),
      ...(place !== undefined && { place }),
      waitsFor: isLeaf ? [] : (isOwn ? other : waits).map((wait) => this.#wait(wait, [...above, agent])),
      circle,
      shown: shown && waits.length > 0,
    };
  }

  #wait({ thing, since, place, blocks, isSure }: AwaitedThing, above: readonly Identity[]): ExplainedWait {
    const explained = this.explain(thing, above);
    return {
      thing: explained,
      ...(since !== undefined && { since }),
      ...(place !== undefined && { place }),
      blocks,
      sure: isSure,
    };
  }

  #agent(identity: Identity): ExplainedAgent {
    const { layout, memory, host, processOf } = this.#view;
    const isHere = identity === this.#view.identity;
    const slot = slotOf(identity);
    const stored = slot < layout.sizes.agents ? memory.load(layout.agent(slot) + AGENT.PROCESS) : 0;
    const process = processOf?.(identity) ?? stored;
    const isStopped = process !== 0 && process !== host.processId && host.isStopped?.(process) === true;
    const alive = isHere ? "here" : isStopped ? "stopped" : "live";
    return {
      name: agentName(this.#view, identity),
      identity,
      ...(process !== 0 && process !== host.processId && { process }),
      state: isLive(this.#found, identity) ? alive : "dead",
    };
  }

  #waitersOf(thing: Thing): Identity[] {
    const isOf = ({ thing: awaited }: AwaitedThing): boolean =>
      thingId(awaited) === thingId(thing) ||
      (thing.kind === "buffer" &&
        (awaited.kind === "read" || awaited.kind === "write" || awaited.kind === "lock") &&
        awaited.slot === thing.slot);
    return [...this.#waits].filter(([, waits]) => waits.some(isOf)).map(([agent]) => agent);
  }
}
