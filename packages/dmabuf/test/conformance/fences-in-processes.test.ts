/** The cases with several agents, on fences and what holds them, with the agents in processes. */
import { PROCESSES } from "./parties/processes.js";
import { fenceSuites } from "./parties/suites.js";

fenceSuites(PROCESSES);
