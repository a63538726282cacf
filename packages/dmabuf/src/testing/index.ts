/// <reference lib="esnext.disposable" preserve="true" />
/**
 * `dmabuf/testing`: tries a protocol on shared words in every order of its agents' steps, with deaths in the middle of
 * anything.
 */
export type { Host } from "../host/host.js";
export type { ParkResult, Substrate } from "../substrate/substrate.js";
export { ExplorationError } from "./exploration-error.js";
export type { ExplorationFailure } from "./exploration-error.js";
export { explore } from "./explore.js";
export type { Agents, Exploration, ExploreOptions, Outcome } from "./exploration.js";
export { modelHost } from "./model-host.js";
export type { ModelHost } from "./model-host.js";
export { landmark, UnrepeatableAgentError } from "./recorded-agent.js";
export type { AgentProgram } from "./recorded-agent.js";
export { AgentDeath, SteppedSubstrate } from "./stepped-substrate.js";
export type { Step, StepKind, StepPlan } from "./stepped-substrate.js";
