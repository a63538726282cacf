/** The validator's book with the agents of each program in processes of their own. */
import { PROCESSES } from "./places.js";
import { runBook } from "./run.js";

runBook(PROCESSES);
