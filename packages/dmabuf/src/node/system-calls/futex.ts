import type { ParkResult } from "../../substrate/substrate.js";
import { ERRNO } from "../../errors.js";
import { addressOf, boundCall, callError, lastErrno } from "./library.js";

/**
 * futex(2) on memory that processes share (never the private form). What blocks often passes here: the function of the C
 * library is called itself, and gets addresses, which koffi passes on faster than memory. Their callers check them.
 */

const FUTEX_WAIT = 0;
const FUTEX_WAKE = 1;
const EVERYBODY = 0x7fff_ffff;

const PARAMETERS = "uintptr_t word, int operation, int32_t value, uintptr_t timeout, uintptr_t word2, int value3";
const futex = boundCall("futex", PARAMETERS);

/** `struct timespec`: seconds and nanoseconds, of 64 bits each with their low half first. It never moves. */
const time = new Uint32Array(new ArrayBuffer(16));
let timeAddress = 0;

/**
 * Sleeps while the word at the address holds `expected`; compares and goes to sleep in one step.
 *
 * @param timeoutMs Milliseconds, at most a day.
 * @returns "woken" also after a signal.
 */
export function futexWait(address: number | bigint, expected: number, timeoutMs: number): ParkResult {
  const nanoseconds = Math.max(0, Math.ceil(timeoutMs * 1e6));
  time[0] = Math.floor(nanoseconds / 1e9);
  time[2] = nanoseconds % 1e9;
  timeAddress ||= Number(addressOf(time));
  const { call, number } = futex();
  if (call(number, address, FUTEX_WAIT, expected | 0, timeAddress, 0, 0) === 0) return "woken";
  const errno = lastErrno();
  if (errno === ERRNO.EAGAIN) return "not-equal";
  if (errno === ERRNO.ETIMEDOUT) return "timed-out";
  if (errno === ERRNO.EINTR) return "woken";
  throw callError(errno, "futex", "Cannot wait for a word of shared memory");
}

/** Wakes all who sleep on the word at the address, in all processes; returns how many there were. */
export function futexWake(address: number | bigint): number {
  const { call, number } = futex();
  const woken = call(number, address, FUTEX_WAKE, EVERYBODY, 0, 0, 0);
  if (woken < 0) throw callError(lastErrno(), "futex", "Cannot wake the sleepers on a word of shared memory");
  return woken;
}
