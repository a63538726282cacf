export { ExplorationError } from "./exploration-error.js";
export type { ExplorationFailure } from "./exploration-error.js";
export { explore } from "./explore.js";
export type { Agents, Exploration, ExploreOptions, Outcome } from "./explore.js";
export { modelHost } from "./model-host.js";
export type { ModelHost } from "./model-host.js";
export { landmark, UnrepeatableAgentError } from "./recorded-agent.js";
export type { AgentProgram } from "./recorded-agent.js";
