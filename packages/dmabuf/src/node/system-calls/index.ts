/**
 * The system calls of Linux that this library makes, typed. Each failed one throws a `DmaBufError` with `code`, `errno`
 * and `syscall`; where none can be made, each throws `ENOSYS` (`whyUnavailable` says why). All descriptors that are made
 * here are closed on exec.
 */
export {
  addressOf,
  boundFunction,
  callError,
  checkViewLength,
  lastErrno,
  LONGEST_VIEW,
  nativeFunction,
  uninterrupted,
  viewOf,
  whyUnavailable,
} from "./library.js";
export type { NativeArgument } from "./native-arguments.js";
export {
  closeDescriptor,
  createEventCounter,
  createPipe,
  duplicateDescriptor,
  fileControl,
  findLockOnFile,
  ioctl,
  isClosedOnExec,
  openFile,
  poll,
  POLL,
  readDescriptor,
  reopenDescriptor,
  tryLockFile,
  tryLockFolder,
  unlockFile,
  writeDescriptor,
  type FileRange,
  type LockKind,
  type LockOnFile,
  type OpenMode,
  type Polled,
} from "./descriptors.js";
export {
  addSeals,
  createMemoryFile,
  isWritable,
  mapMemory,
  pageSize,
  protectMemory,
  punchHole,
  reservePages,
  SEAL,
  sealsOf,
  setFileLength,
  unmapMemory,
  writtenRanges,
  type MapOptions,
  type Protection,
} from "./memory.js";
export { futexWait, futexWake } from "./futex.js";
export {
  addToEpoll,
  changeInEpoll,
  createEpoll,
  EPOLL_ONE_SHOT,
  removeFromEpoll,
  waitForEpoll,
  type EpollEvent,
} from "./epoll.js";
export { effectiveUser, openProcess, processId, signalThread, threadId, withUmask } from "./processes.js";
export {
  endReceiving,
  isPipe,
  isUnixSocket,
  mayHoldDescriptors,
  peerCredentials,
  setTakesDescriptors,
  waitingBytes,
  type PeerCredentials,
} from "./socket-peers.js";
export {
  acceptConnection,
  bindSocket,
  checkAddress,
  connectSocket,
  createSocket,
  createSocketPair,
  listenOnSocket,
  MOST_DESCRIPTORS,
  peekMessage,
  receiveMessage,
  MESSAGE_BYTES,
  descriptorsIn,
  forgetDescriptors,
  sendMessage,
  type ReceivedMessage,
  type SocketAddress,
  type SocketType,
} from "./sockets.js";
