import { oneOf } from "../arguments.js";
import type { Agent } from "../domain/agent.js";
import { checkHandle, checkIntact, type HandleKind } from "../domain/handle.js";
import { InflightHold } from "../domain/inflight-hold.js";
import type { Inflight } from "../domain/referenced-table.js";
import { BUFFER_SLOTS, type BufferKey } from "./buffer-slot.js";
import type { StorageSegment } from "./storage.js";

/** What a handle allows. */
export type HandleMode = "read" | "read-write";

export const HANDLE_MODE = /* @__PURE__ */ oneOf(["read", "read-write"]);

/** What a handle carries of the buffer's storage. */
type HandleFields = Pick<BufferHandle, "mode" | "size" | "version" | "segments">;

/** @param limit Milliseconds for which it holds the buffer. @throws {DmaBufError} `EAGAIN` if too many are in flight. */
export let makeBufferHandle: (agent: Agent, key: BufferKey, fields: HandleFields, limit: number) => BufferHandle;

/**
 * A buffer as a thing to send to another agent: post it in a message, and import it there.
 *
 * While it is on its way it holds the buffer, counted against the sender: until the first import, until the sender
 * closes it or dies, or until the domain's limit for handles passes. After that it can be imported as long as
 * the buffer lives, and is `ESTALE` afterwards.
 *
 * A clone made by `postMessage` has the fields and not the methods: only the sender closes it.
 *
 * @example
 * ```ts
 * import { Domain } from "dmabuf";
 *
 * using domain = Domain.create();
 * using buffer = domain.allocate(4096);
 * const { port1: port } = new MessageChannel();
 * const handle = buffer.handle("read");
 * port.postMessage(handle); // there: using received = domain.import(handle)
 * ```
 */
export class BufferHandle implements Disposable {
  /** What the handle opens. */
  readonly kind = "buffer";
  /** The domain that the buffer belongs to. */
  readonly domain: string;
  /** The buffer's place in shared memory. */
  readonly slot: number;
  /** Which user of the slot: it counts. */
  readonly generation: number;
  /** What the receiver may do. */
  readonly mode: HandleMode;
  /** Bytes. */
  readonly size: number;
  /** How often the storage was moved. */
  readonly version: number;
  /** The storage itself, between threads; nothing between processes. */
  readonly segments: readonly StorageSegment[];
  /** The handle's own hold of the buffer. */
  readonly inflight: Inflight;
  readonly #hold: InflightHold;

  static {
    makeBufferHandle = (agent, key, fields, limit) => new BufferHandle(agent, key, fields, limit);
  }

  private constructor(agent: Agent, key: BufferKey, fields: HandleFields, limit: number) {
    this.domain = agent.domain;
    this.slot = key.slot;
    this.generation = key.generation;
    this.mode = fields.mode;
    this.size = fields.size;
    this.version = fields.version;
    this.segments = fields.segments;
    this.#hold = new InflightHold(agent, BUFFER_SLOTS, key, limit);
    this.inflight = this.#hold.inflight;
  }

  /** Ends the handle's own hold of the buffer, for a handle that will not be sent. Twice does nothing. */
  close(): void {
    this.#hold.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** The fields of a handle, as they arrive in another agent. */
export type BufferHandleData = Pick<
  BufferHandle,
  "kind" | "domain" | "slot" | "generation" | "mode" | "size" | "version" | "segments" | "inflight"
>;

const HANDLE: HandleKind = { kind: "buffer", noun: "buffer", slots: ({ buffers }) => buffers };

/** @throws {DmaBufError} `EINVAL` if the handle is of another domain or damaged. */
export function checkBufferHandle(agent: Agent, handle: BufferHandleData): void {
  checkHandle(agent, handle, HANDLE);
  const { version, mode, size } = handle;
  checkIntact("buffer", {
    version: Number.isSafeInteger(version),
    mode: mode === "read" || mode === "read-write",
    size: Number.isInteger(size),
  });
}
