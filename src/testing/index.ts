export { explore, ExplorationError } from "./explore.js";
export type { Agents, Exploration, ExplorationFailure, ExploreOptions, Outcome } from "./explore.js";
export { modelHost } from "./model-host.js";
export type { ModelHost } from "./model-host.js";
export { UnrepeatableAgentError } from "./recorded-agent.js";
export type { AgentProgram } from "./recorded-agent.js";
