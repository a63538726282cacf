/** Exporters with operations, and buffers that move, with the agents in worker threads. */
import { WORKERS } from "./parties/workers.js";
import { exporterSuites } from "./parties/suites.js";

exporterSuites(WORKERS);
