import { checkGiven, NANOSECONDS } from "../arguments.js";
import type { Agent } from "../domain/agent.js";
import { makeFence, type Fence } from "./fence.js";
import { OpsBacking } from "./local-fence.js";

/** Fences that were never pending are in no context: context 0, number 0. */
const STUB = new OpsBacking({ driverName: "stub", timelineName: "stub" });

const stubs = new WeakMap<Agent, Fence>();

/**
 * A fence that is signaled already.
 *
 * @param timestampNs When it is to have signaled, in monotonic nanoseconds. Default: the one stub that all share, whose
 *   time is that of the first call.
 */
export function stubFence(agent: Agent, timestampNs?: number): Fence {
  checkGiven("Domain.stubFence()", "timestampNs", timestampNs, NANOSECONDS);
  if (timestampNs !== undefined) return newStub(agent, timestampNs);
  let stub = stubs.get(agent);
  if (stub === undefined) {
    stub = newStub(agent, agent.host.nowNs());
    stubs.set(agent, stub);
  }
  return stub;
}

function newStub(agent: Agent, timestampNs: number): Fence {
  const fence = makeFence(agent, STUB, 0, 0);
  fence.enableSignaling();
  fence.signal(timestampNs);
  return fence;
}
