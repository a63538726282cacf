import assert from "node:assert/strict";
import { Agent } from "../../src/domain/agent.js";
import { claimAgentSlot } from "../../src/domain/agent-slot.js";
import { claimBuffer } from "../../src/buffer/buffer-slot.js";
import { writeHeader } from "../../src/domain/header.js";
import { checkSizes, Layout, type Segment, type Sizes } from "../../src/domain/layout.js";
import { makeFence as makeInner, type Fence, type FenceOps } from "../../src/fence/fence.js";
import { createFence, OpsBacking } from "../../src/fence/local-fence.js";
import { publish } from "../../src/fence/published-fence.js";
import { allocateContexts, createTimeline } from "../../src/fence/timeline.js";
import { threadsHost } from "../../src/host/threads.js";
import type { Reservation } from "../../src/reservation/reservation.js";
import type { Host } from "../../src/host/host.js";
import { createSharedSubstrate } from "../../src/substrate/shared-array.js";
import { reservationAt } from "../reservation-at.js";
import { segmentOf } from "../../src/domain/segment-protocol.js";

/** Room enough for a case, and quickly made. */
const SIZES: Partial<Sizes> = { agents: 8, buffers: 16, timelines: 16, oneShots: 64, streams: 1 };

export interface TestAgentOptions {
  readonly sizes?: Partial<Sizes>;
  /** Takes the place of parts of the surroundings. */
  readonly host?: Partial<Host>;
}

/** An agent that keeps what the core reports as a broken contract: the kernel's diagnostics. */
export class TestAgent extends Agent {
  readonly #warnings: string[];
  readonly #options: TestAgentOptions;

  constructor(segment: Segment, options: TestAgentOptions) {
    const warnings: string[] = [];
    const warn = (message: string): void => void warnings.push(message);
    super(segment, claimAgentSlot(segment, "test"), { ...threadsHost(), warn, ...options.host });
    this.#warnings = warnings;
    this.#options = options;
  }

  /** The diagnostics since the last call. */
  takeWarnings(): string[] {
    return this.#warnings.splice(0);
  }

  /** One more agent of the same domain, in this thread. */
  another(): TestAgent {
    return new TestAgent(this, this.#options);
  }
}

/** The first agent of a new domain. */
export function testAgent(options: TestAgentOptions = {}): TestAgent {
  const layout = new Layout(checkSizes({ ...SIZES, ...options.sizes }));
  const memory = createSharedSubstrate(new SharedArrayBuffer(layout.words * 4), threadsHost().mayBlock);
  writeHeader(memory, layout.sizes, [1, 2, 3, 4]);
  return new TestAgent(segmentOf(memory, layout), options);
}

/**
 * Where a fence can be: in its agent alone, on a timeline in shared memory, or in its agent and published to all.
 * What holds for one holds for all of them.
 */
export const FENCE_KINDS = ["local", "timeline", "published"] as const;
export type FenceKind = (typeof FENCE_KINDS)[number];

/** A pending fence of a context of its own. */
export function makeFence(agent: Agent, kind: FenceKind): Fence {
  if (kind === "timeline") return createTimeline(agent).createFence();
  const fence = opsFence(agent);
  if (kind === "published") publish(fence);
  return fence;
}

/** A fence of its agent alone whose maker does what `ops` say. */
export function opsFence(
  agent: Agent,
  ops: Partial<FenceOps> = {},
  context = allocateContexts(agent, 1),
  seqno = 1,
): Fence {
  return createFence(agent, { driverName: "driver", timelineName: "line", ...ops }, context, seqno);
}

/** A fence of its agent alone whose work goes on, and signals it, after it was dropped. */
export function independentFence(agent: Agent): Fence {
  const backing = new IndependentBacking({ driverName: "driver", timelineName: "line" });
  return makeInner(agent, backing, allocateContexts(agent, 1), 1);
}

class IndependentBacking extends OpsBacking {
  override readonly goesOn = true;
}

/** The reservation of a new buffer. */
export function makeReservation(agent: Agent): Reservation {
  const { slot } = claimBuffer(agent, { size: 4096, name: "buffer", exporterName: "test" });
  return reservationAt(agent, slot);
}

/** Fails unless the core reported exactly one broken contract since the last look, with a text like `pattern`. */
export function assertWarnedOnce(agent: TestAgent, pattern: RegExp): void {
  const warnings = agent.takeWarnings();
  assert.equal(warnings.length, 1, `one diagnostic, not ${JSON.stringify(warnings)}`);
  assert.match(warnings[0]!, pattern);
}
