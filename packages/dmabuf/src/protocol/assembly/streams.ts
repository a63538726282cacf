/** What `dmabuf/streams` asks of a segment's protocols from JavaScript. */
export { isLive, ring, ringAll } from "./agent-slot";
export { armKey, isKeyFinished, isKeySignaled, keyOwner, keyProgress, keyStatus, spinSignaled } from "./fence-slot";
export { completeOneShot } from "./one-shot-slot";
export { ringTimeline } from "./timeline-slot";
export { testEntries } from "./entries";
export { openLock } from "./lock";
export { anyReader, armHold, claimWriter, dropWriter, leaveReaders, leaveWriter, tryRead, tryWrite } from "./hold";
export { armShared, endClaim, isOutstanding, passOver, spinShared, takeShared } from "./stream-group";
export {
  armLoan,
  armProducer,
  armTake,
  emptyPlace,
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
