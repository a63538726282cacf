/** The cases with several agents, on fences and what holds them, with the agents in worker threads. */
import { fenceSuites } from "./parties/suites.js";
import { WORKERS } from "./parties/workers.js";

fenceSuites(WORKERS);
