/** The validator's book with the agents of each program in worker threads. */
import { THREADS } from "./places.js";
import { runBook } from "./run.js";

runBook(THREADS);
