import { allOrNothing } from "../all-or-nothing.js";
import type { Agent } from "../domain/agent.js";
import { agentName } from "../domain/agent-slot.js";
import type { Host } from "../host/host.js";
import { listenTo } from "./agent-tracer.js";
import { openChannels } from "./channels.js";
import { prepareTrace } from "./open-trace.js";

/**
 * Lets sinks listen to an agent from the beginning on, and has it keep its last events, if that is wanted. What can fail comes
 * before `join`.
 *
 * @param trace As for {@link prepareTrace}.
 */
export function traced(trace: boolean | string | undefined, host: Host, join: () => Agent): Agent {
  openChannels();
  const prepared = prepareTrace(trace, host);
  return allOrNothing((orUndo) => {
    orUndo(() => prepared?.abandon());
    const agent = join();
    const { domain, identity } = agent;
    const name = agentName(agent, identity);
    listenTo(agent, prepared?.begin({ domain, identity, name, startedAt: host.nowNs() }));
    return agent;
  });
}
