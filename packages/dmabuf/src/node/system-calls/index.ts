/**
 * The system calls of Linux that this library makes, typed. Each failed one throws a `DmaBufError` with `code`, `errno`
 * and `syscall`; where none can be made, each throws `ENOSYS` (`whyUnavailable` says why). All descriptors that are made
 * here are closed on exec.
 */
export * from "./library.js";
export * from "./descriptors.js";
export * from "./memory.js";
export * from "./futex.js";
export * from "./epoll.js";
export * from "./processes.js";
export * from "./socket-peers.js";
export * from "./socket-list.js";
export * from "./sockets.js";
