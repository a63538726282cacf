/** What a segment's protocols can be asked from JavaScript. */
export { anyLiveAgentIn, isLive, ring, ringAll } from "./agent-slot";
export { armLock, lockHolder, openLock, tryTakeLock } from "./lock";
export { anyReader, armHold, claimWriter, leaveReaders, leaveWriter, tryRead, tryWrite } from "./hold";
export {
  advanceCursor,
  announceFrame,
  armConsumer,
  armProducer,
  emptyPlace,
  fillPlace,
  frameIn,
  heldBackFrom,
  mayReuse,
  placeToReuse,
  ringProducer,
  wanted,
} from "./stream-slot";
