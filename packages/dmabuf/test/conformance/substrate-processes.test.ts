import { processSegment } from "../process-segment.js";
import { substrateFacts } from "./substrate.js";

/** All eight words of the suite are doorbells, since it sleeps on each of them. */
substrateFacts("processes", () => processSegment({ words: 16, slots: 8 }).memory);
