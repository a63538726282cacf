/** Exporters with operations, and buffers that move, with the agents in processes. */
import { PROCESSES } from "./parties/processes.js";
import { exporterSuites } from "./parties/suites.js";

exporterSuites(PROCESSES);
