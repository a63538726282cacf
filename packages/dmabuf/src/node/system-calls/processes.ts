import { callError, lastErrno, nativeFunction, numberedCall } from "./library.js";

/** Calls on processes and threads. */

const native = {
  gettid: numberedCall("gettid"),
  tgkill: numberedCall("tgkill", "int process, int thread, int signal"),
  pidfdOpen: numberedCall("pidfd_open", "int process, uint32_t flags"),
  umask: nativeFunction("uint32_t umask(uint32_t mask)"),
  prctl: nativeFunction("int prctl(int option, uint64_t value)"),
  getpid: nativeFunction("int getpid()"),
  geteuid: nativeFunction("uint32_t geteuid()"),
};

/** A descriptor that becomes readable when the process ends. `ESRCH` if there is none. */
export function openProcess(pid: number): number {
  const fd = native.pidfdOpen(pid, 0);
  if (fd < 0) throw callError(lastErrno(), "pidfd_open", `Cannot open process ${pid}`);
  return fd;
}

export function processId(): number {
  return native.getpid();
}

/** The user that this process acts for. */
export function effectiveUser(): number {
  return native.geteuid();
}

/** The kernel's number of the calling thread. */
export function threadId(): number {
  return native.gettid();
}

const PR_SET_PDEATHSIG = 1;

/** The kernel sends this process a signal when the thread that has started it ends, in whatever way. */
export function signalAtEndOfStarter(signal: number): void {
  if (native.prctl(PR_SET_PDEATHSIG, signal) >= 0) return;
  throw callError(lastErrno(), "prctl", "Cannot ask to be told of the end of the process that has started this one");
}

/** Sends a signal to one thread; signal 0 only asks whether it exists. */
export function signalThread(pid: number, thread: number, signal: number): void {
  if (native.tgkill(pid, thread, signal) >= 0) return;
  throw callError(lastErrno(), "tgkill", `Cannot send signal ${signal} to thread ${thread} of process ${pid}`);
}

/** Runs `work` under another file mode mask. The mask is the whole process's, so that `work` is short. */
export function withUmask<T>(mask: number, work: () => T): T {
  const before = native.umask(mask);
  try {
    return work();
  } finally {
    native.umask(before);
  }
}
