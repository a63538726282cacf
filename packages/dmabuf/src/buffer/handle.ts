import { check, handleTo, oneOf } from "../arguments.js";
import type { Agent } from "../domain/agent.js";
import { checkDomain } from "../domain/handle.js";
import { isIndex, type Segment } from "../domain/layout.js";
import { isInflight, type Inflight } from "../domain/referenced-table.js";
import { DmaBufError } from "../errors.js";
import { BUFFER_SLOTS, type BufferKey } from "./buffer-slot.js";
import type { StorageSegment } from "./storage.js";

/** What a handle allows. */
export type HandleMode = "read" | "read-write";

export const HANDLE_MODE = oneOf("read", "read-write");

/**
 * A buffer as a thing to send to another agent: post it in a message, and import it there.
 *
 * While it is on its way it holds the buffer, counted against the sender: until the first import, until the sender
 * disposes it or dies, or until the domain's limit for handles passes. After that it can be imported as long as
 * the buffer lives, and is `ESTALE` afterwards.
 *
 * A clone made by `postMessage` has the fields and not the methods: only the sender disposes.
 */
export class BufferHandle implements Disposable {
  readonly kind = "buffer";
  readonly domain: string;
  readonly slot: number;
  readonly generation: number;
  readonly mode: HandleMode;
  readonly size: number;
  /** How often the storage was moved. */
  readonly version: number;
  readonly segments: readonly StorageSegment[];
  readonly inflight: Inflight;
  readonly #segment: Segment;
  readonly #cancelTimer: () => void;

  /** @internal Made by `DmaBuf.handle()`. */
  constructor(
    segment: Segment,
    domain: string,
    key: BufferKey,
    storage: Pick<BufferHandle, "mode" | "size" | "version" | "segments">,
    inflight: Inflight,
    startTimer: (expire: () => void) => () => void,
  ) {
    this.#segment = segment;
    this.domain = domain;
    this.slot = key.slot;
    this.generation = key.generation;
    this.mode = storage.mode;
    this.size = storage.size;
    this.version = storage.version;
    this.segments = storage.segments;
    this.inflight = inflight;
    this.#cancelTimer = startTimer(() => void BUFFER_SLOTS.endInflight(segment, key.slot, inflight));
  }

  [Symbol.dispose](): void {
    this.#cancelTimer();
    BUFFER_SLOTS.endInflight(this.#segment, this.slot, this.inflight);
  }
}

/** The fields of a handle, as they arrive in another agent. */
export type BufferHandleData = Pick<
  BufferHandle,
  "kind" | "domain" | "slot" | "generation" | "mode" | "size" | "version" | "segments" | "inflight"
>;

const HANDLE = handleTo(
  "a buffer",
  "handle() of the DmaBuf",
  (value) => (value as Partial<BufferHandleData> | null | undefined)?.kind === "buffer",
);

/** @throws {DmaBufError} `EINVAL` if the handle is of another domain or damaged. */
export function checkBufferHandle(agent: Agent, handle: BufferHandleData): void {
  check("Domain.import()", "handle", handle, HANDLE);
  const { domain, slot, generation, version, mode, size, inflight } = handle;
  const fields = {
    domain: typeof domain === "string",
    slot: isIndex(slot, agent.layout.sizes.buffers),
    generation: Number.isSafeInteger(generation),
    version: Number.isSafeInteger(version),
    mode: mode === "read" || mode === "read-write",
    size: Number.isInteger(size),
    inflight: isInflight(agent, inflight),
  };
  for (const [name, intact] of Object.entries(fields)) {
    if (!intact) throw new DmaBufError("EINVAL", `Cannot import the buffer: "${name}" of its handle is damaged`);
  }
  checkDomain(agent, domain, "buffer");
}
