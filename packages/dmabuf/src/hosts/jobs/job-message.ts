import { DmaBufError } from "../../errors.js";
import type { JsonValue } from "../../stream/metadata.js";

/** A job as it is in its queue: all but the bytes of its buffers, which the worker gets from the host that has submitted it. */
export interface JobMessage {
  readonly id: string;
  /** Of the host that has submitted it. */
  readonly host: string;
  readonly reads: readonly SentBuffer[];
  readonly writes: readonly SentBuffer[];
  readonly data: JsonValue;
}

/** A buffer of the submitting host. */
export interface SentBuffer {
  /** Its inode there. */
  readonly number: number;
  /** Its content version. */
  readonly version: number;
  /** Bytes. */
  readonly size: number;
  /** Of one that is written: whether the worker is to have what is in it. */
  readonly isRead: boolean;
}

/** How often a job is given to a worker, at most. */
export const MOST_DELIVERIES = 3;

/** Bytes of a message, at most. */
export const MOST_BYTES = 64 * 1024;

/** @throws {DmaBufError} `EMSGSIZE`. @throws {TypeError} If the data is none that JSON can carry. */
export function encodeJob(message: JobMessage): string {
  const text = JSON.stringify(message);
  if (Buffer.byteLength(text) <= MOST_BYTES) return text;
  throw new DmaBufError(
    "EMSGSIZE",
    `Cannot submit the job: its data and the list of its buffers exceed ${MOST_BYTES} bytes`,
  );
}

/** @throws {DmaBufError} `EPROTO` if this is no job. */
export function decodeJob(text: string): JobMessage {
  let message: Partial<JobMessage> | undefined;
  try {
    message = JSON.parse(text) as Partial<JobMessage>;
  } catch {
    // As below.
  }
  if (typeof message === "object" && message !== null) {
    const { id, host, reads, writes, data = null } = message;
    const isWhole = isId(id) && isId(host) && areBuffers(reads) && areBuffers(writes);
    if (isWhole) return { id, host, reads, writes, data };
  }
  throw new DmaBufError("EPROTO", "Cannot understand a message in a queue of jobs");
}

export function isId(id: unknown): id is string {
  return typeof id === "string" && /^[\w-]{1,64}$/.test(id);
}

function areBuffers(list: unknown): list is SentBuffer[] {
  return Array.isArray(list) && list.every(isBuffer);
}

function isBuffer(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { number, version, size, isRead } = value as Partial<SentBuffer>;
  const areNumbers = [number, version, size].every((one) => Number.isSafeInteger(one) && one! >= 0);
  return areNumbers && size! > 0 && typeof isRead === "boolean";
}
