/** What a segment's protocols can be asked from JavaScript. */
export { isLive, ring, ringAll } from "./agent-slot";
export {
  armKey,
  hintDeadline,
  isKeyFinished,
  isKeySignaled,
  keyDeadline,
  keyOwner,
  keyProgress,
  keyStatus,
  keyTime,
  spinSignaled,
} from "./fence-slot";
export { findRetired } from "./failures";
export { completeOneShot } from "./one-shot-slot";
export { advanceTimeline, completeTimeline, ringTimeline } from "./timeline-slot";
export { addEntry, copyEntries, countEntries, replaceEntries, testEntries } from "./entries";
export { armLock, lockHolder, openLock, tryTakeLock } from "./lock";
export { anyReader, armHold, claimWriter, leaveReaders, leaveWriter, tryRead, tryWrite } from "./hold";
export { armShared, endClaim, isOutstanding, passOver, spinShared, takeShared } from "./stream-group";
export {
  armLoan,
  armProducer,
  armTake,
  emptyPlace,
  heldBackFrom,
  isThere,
  loan,
  mayLoan,
  oldestFrame,
  publish,
  ringProducer,
  spinLoan,
  spinTake,
  take,
} from "./stream-slot";
