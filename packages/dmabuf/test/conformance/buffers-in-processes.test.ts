/** The cases with several agents, on buffers and reservations, with the agents in processes. */
import { PROCESSES } from "./parties/processes.js";
import { bufferSuites } from "./parties/suites.js";

bufferSuites(PROCESSES);
