/** What the validator says of mistakes, with the agents that make them in worker threads. */
import { validatorSuites } from "./parties/suites.js";
import { WORKERS } from "./parties/workers.js";

validatorSuites(WORKERS);
