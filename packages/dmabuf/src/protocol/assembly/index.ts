/** What a segment's protocols can be asked from JavaScript. */
export * from "./streams";
export { hintDeadline, keyDeadline, keyTime } from "./fence-slot";
export { findRetired } from "./failures";
export { advanceTimeline, completeTimeline } from "./timeline-slot";
export { addEntry, copyEntries, countEntries, replaceEntries } from "./entries";
export { armLock, lockHolder, tryTakeLock } from "./lock";
export { heldBackFrom } from "./stream-slot";
