import type { WaitCondition } from "../../domain/agent.js";
import type { Host } from "../../host/host.js";

const ASK_AGAIN_MS = 500;

/** A wait for an answer, for which is asked at once and again after some time: there may have been no room for a message. */
export function askingAgain(host: Host, ask: () => void, ready: () => boolean): WaitCondition {
  ask();
  let askedNs = host.nowNs();
  const arm = (): void => {
    if (host.nowNs() - askedNs < ASK_AGAIN_MS * 1e6) return;
    askedNs = host.nowNs();
    ask();
  };
  return { arm, ready, recheckAfter: () => ASK_AGAIN_MS };
}
