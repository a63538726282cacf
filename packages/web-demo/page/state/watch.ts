import { lookAtBuffers } from "./buffers.js";
import { count } from "./copied.js";
import { lookForIdle } from "./lanes.js";

/** Milliseconds. */
const EVERY = 250;

/** What changes without a message is looked at a few times a second. */
export function lookNowAndThen(): void {
  setInterval(() => {
    count();
    lookForIdle();
    lookAtBuffers();
  }, EVERY);
}
