/** The cases with several agents, on buffers and reservations, with the agents in worker threads. */
import { bufferSuites } from "./parties/suites.js";
import { WORKERS } from "./parties/workers.js";

bufferSuites(WORKERS);
