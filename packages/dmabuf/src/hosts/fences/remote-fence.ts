import { handleTo, isCount, milliseconds, type Kinds } from "../../arguments.js";
import { DEFAULT_TIME_LIMIT } from "../../domain/awaited-key.js";
import { DmaBufError } from "../../errors.js";
import type { FenceHandle } from "../../fence/fence-handle.js";
import { isHostId } from "../links/facts.js";

/** A fence of one host as plain data to send to another, by whatever way: {@link Hosts.share} gives it, {@link Hosts.fence} opens it. */
export interface RemoteFenceHandle {
  /** What the handle opens. */
  readonly kind: "remote-fence";
  /** The id of the host that the fence is of. */
  readonly host: string;
  /** That host's incarnation: a fence of an earlier one is `ESTALE`. */
  readonly incarnation: number;
  /** Milliseconds: a fence for it ends after so many, if it is not told another limit. */
  readonly limit: number;
  /** The fence in its own domain. */
  readonly fence: FenceHandle;
}

/** Options of {@link Hosts.fence}. */
export interface RemoteFenceOptions {
  /** Milliseconds after which the fence here ends with `ETIMEDOUT`, whatever the other host does. Default: the handle's. */
  readonly timeout?: number;
}

const MOST = 0x7fff_ffff;

export const REMOTE_FENCE_OPTIONS: Kinds<RemoteFenceOptions> = { timeout: milliseconds(1, MOST) };

/** Milliseconds that a fence of another host is given beyond its own limit. */
const BEYOND = 1_000;

export const REMOTE_FENCE = handleTo("a fence of a host", "Hosts.share()", (value) => {
  const { kind, host, incarnation, limit, fence } = (value ?? {}) as Partial<Record<keyof RemoteFenceHandle, unknown>>;
  const isFence = typeof fence === "object" && (fence as Partial<FenceHandle> | null)?.kind === "fence";
  const isLimit = typeof limit === "number" && limit >= 1 && limit <= MOST;
  return kind === "remote-fence" && isHostId(host) && isCount(incarnation) && isLimit && isFence;
});

export function remoteHandle(host: string, incarnation: number, fence: FenceHandle): RemoteFenceHandle {
  return { kind: "remote-fence", host, incarnation, limit: Math.min(MOST, limitOf(fence) + BEYOND), fence };
}

/** The longest that one of the fences behind a handle may take. */
function limitOf(handle: FenceHandle): number {
  switch (handle.form) {
    case "plain":
      return handle.timeLimit;
    case "array":
      return Math.max(DEFAULT_TIME_LIMIT, ...handle.fences.map(limitOf));
    case "chain":
      return Math.max(DEFAULT_TIME_LIMIT, ...handle.links.map(({ fence }) => limitOf(fence)));
    case "signaled":
      return DEFAULT_TIME_LIMIT;
  }
}

/** @throws {DmaBufError} `ETIMEDOUT` after so many milliseconds, and the work is told; what it fails with. */
export async function inTime<T>(timeout: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const end = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      const error = new DmaBufError("ETIMEDOUT", `The fence of another host has not signaled within ${timeout} ms`);
      reject(error);
      end.abort(error);
    }, timeout).unref();
  });
  try {
    return await Promise.race([work(end.signal), limit]);
  } finally {
    clearTimeout(timer);
  }
}
