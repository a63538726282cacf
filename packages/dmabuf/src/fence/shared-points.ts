import type { Agent } from "../domain/agent.js";
import { isStub, type PointElement, type PointFences, type PointLink, type Stub } from "./point-list.js";
import type { SlotKey } from "../domain/referenced-table.js";
import {
  addSyncobjPoint,
  armSyncobj,
  claimSyncobj,
  readSyncobj,
  replaceSyncobj,
  syncobjVersion,
} from "./syncobj-slot.js";
import { allocateContexts, type FenceKey } from "../domain/timeline-slot.js";
import { createFenceArray, FenceArray } from "./fence-array.js";
import { createFenceChain, FenceChain } from "./fence-chain.js";
import { makeFence, type Fence } from "./fence.js";
import { publish } from "./published-fence.js";
import { fenceAt, SharedBacking } from "./shared-fence.js";
import { stubFence } from "./stub.js";

/**
 * The fence of a syncobj that several agents use, as this agent's objects. Containers are stored as what they contain,
 * so that no agent depends on the agent that made them; fences of this agent alone are published first.
 */
export class SharedPoints {
  readonly key: SlotKey;
  readonly #agent: Agent;
  /** The objects for what is stored, by what says so in shared words. */
  #known: Map<string, Fence>;
  #version: number | undefined;
  #fence: Fence | undefined;

  /** @param known Objects that are there already. */
  constructor(agent: Agent, key: SlotKey, known = new Map<string, Fence>()) {
    this.#agent = agent;
    this.key = key;
    this.#known = known;
  }

  /**
   * Gives a syncobj of this agent a place that all agents see; the agent holds the first reference.
   *
   * @param fence Its fence.
   * @throws {DmaBufError} `ENOSPC` if there is no place, or no room for so many pending fences.
   */
  static claim(agent: Agent, fence: Fence | undefined): SharedPoints {
    const known = new Map<string, Fence>();
    const elements = elementsOf(fence, known);
    agent.validation?.allocates("a syncobj");
    return new SharedPoints(agent, claimSyncobj(agent, elements), known);
  }

  /** The fence now: the same object until an agent changes it. */
  get fence(): Fence | undefined {
    if (syncobjVersion(this.#agent, this.key.slot) === this.#version) return this.#fence;
    const { version, elements } = readSyncobj(this.#agent, this.key.slot);
    const known = new Map<string, Fence>();
    let fence: Fence | undefined;
    for (const element of elements) {
      const own = this.#object(element, known);
      fence = element.link === undefined ? own : createFenceChain(fence, own, element.link.seqno, element.link);
    }
    this.#known = known;
    this.#version = version;
    return (this.#fence = fence);
  }

  /** @throws {DmaBufError} `ENOSPC` if there is no room for so many; `EBUSY` if another agent has stopped in the middle of a change. */
  replace(fence: Fence | undefined): void {
    replaceSyncobj(this.#agent, this.key.slot, elementsOf(fence, this.#known));
  }

  /** Errors as {@link replace}. */
  addPoint(point: number, fence: Fence): void {
    addSyncobjPoint(this.#agent, this.key.slot, point, pointFences(fence, this.#known));
  }

  /** Asks that this agent is rung when a fence comes. */
  arm(): void {
    armSyncobj(this.#agent, this.key.slot);
  }

  #object(element: PointFences, known: Map<string, Fence>): Fence {
    return remember(known, textOf(element), (text) => {
      const present = this.#known.get(text);
      if (present !== undefined) return present;
      const fences = element.fences.map((fence) =>
        remember(known, textOf({ fences: [fence] }), (own) => this.#known.get(own) ?? viewOf(this.#agent, fence)),
      );
      return fences.length === 1 ? fences[0]! : createFenceArray(this.#agent, fences, { signalOnAny: element.any });
    });
  }
}

/** What is stored in shared words for a fence, and which objects of this agent that is. */
function elementsOf(fence: Fence | undefined, known: Map<string, Fence>): PointElement[] {
  if (fence === undefined) return [];
  if (!(fence instanceof FenceChain)) return [pointFences(fence, known)];
  const elements = [...fence.elements()].reverse();
  return elements.map((element) =>
    element instanceof FenceChain
      ? { ...pointFences(element.fence, known), link: linkOf(element) }
      : pointFences(element, known),
  );
}

function linkOf({ seqno, previousSeqno, context }: FenceChain): PointLink {
  return { seqno, previousSeqno, context };
}

function pointFences(fence: Fence, known: Map<string, Fence>): PointFences {
  const isArray = fence instanceof FenceArray && fence.fences.length > 0;
  const members = isArray ? fence.fences : [fence];
  const fences = members.map((member) => {
    const shared = sharedFence(member);
    known.set(textOf({ fences: [shared] }), member);
    return shared;
  });
  const element = { fences, any: isArray && fence.signalOnAny };
  known.set(textOf(element), fence);
  return element;
}

function sharedFence(fence: Fence): FenceKey | Stub {
  // A fence that was never pending needs no place of its own.
  if (fence.context === 0 && fence.isSignaled()) return { timestamp: fence.timestamp! };
  return publish(fence);
}

function textOf({ fences, any = false }: Partial<PointFences> & Pick<PointFences, "fences">): string {
  const texts = fences.map((fence) =>
    isStub(fence) ? `stub ${Math.floor(fence.timestamp)}` : `${fence.slot} ${fence.generation} ${fence.sequence}`,
  );
  return texts.join(any ? " | " : " & ");
}

function remember(known: Map<string, Fence>, text: string, make: (text: string) => Fence): Fence {
  const present = known.get(text) ?? make(text);
  known.set(text, present);
  return present;
}

function viewOf(agent: Agent, fence: FenceKey | Stub): Fence {
  if (isStub(fence)) return stubFence(agent, fence.timestamp);
  return fenceAt(agent, fence) ?? pastFence(agent, fence);
}

/** A fence whose slot is in use again: it has signaled, and its error is found by its key. */
function pastFence(agent: Agent, { slot, generation, sequence }: FenceKey): Fence {
  return makeFence(agent, new SharedBacking(agent, slot, generation), allocateContexts(agent, 1), sequence);
}
