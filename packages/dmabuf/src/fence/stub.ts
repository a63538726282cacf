import { check, NANOSECONDS } from "../arguments.js";
import { AGENT_KIND, type Agent } from "../domain/agent.js";
import { Fence, type FenceOps } from "./fence.js";

/** Fences that were never pending stand outside all contexts: context 0, number 0. */
const STUB: FenceOps = { driverName: "stub", timelineName: "stub" };

const stubs = new WeakMap<Agent, Fence>();

/** A fence that is signaled already, the same at every call; its timestamp is that of the first call. */
export function stubFence(agent: Agent): Fence {
  check("stubFence()", "agent", agent, AGENT_KIND);
  let stub = stubs.get(agent);
  if (stub === undefined) {
    stub = privateStub(agent, agent.host.nowNs());
    stubs.set(agent, stub);
  }
  return stub;
}

/** A signaled fence of its own. @param timestampNs When it is to have signaled, in monotonic nanoseconds. */
export function privateStub(agent: Agent, timestampNs: number): Fence {
  check("privateStub()", "agent", agent, AGENT_KIND);
  check("privateStub()", "timestampNs", timestampNs, NANOSECONDS);
  const fence = new Fence(agent, STUB, 0, 0);
  fence.enableSignaling();
  fence.signal(timestampNs);
  return fence;
}
