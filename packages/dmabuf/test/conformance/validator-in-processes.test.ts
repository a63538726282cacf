/** What the validator says of mistakes, with the agents that make them in processes. */
import { PROCESSES } from "./parties/processes.js";
import { validatorSuites } from "./parties/suites.js";

validatorSuites(PROCESSES);
