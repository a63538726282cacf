/** What a segment's protocols can be asked from JavaScript. */
export { anyLiveAgentIn, isLive, ring, ringAll } from "./agent-slot";
export { armLock, lockHolder, openLock, tryTakeLock } from "./lock";
