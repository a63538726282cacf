import type { Agent } from "../domain/agent.js";
import type { Core, Feature, Part } from "../domain/feature.js";
import type { Steps } from "../domain/steps.js";
import { DmaBufError } from "../errors.js";
import { BUFFER_SLOTS, bufferSize, claimBuffer, type BufferKey } from "./buffer-slot.js";
import { checkBufferHandle, makeBufferHandle, type BufferHandle, type BufferHandleData } from "./handle.js";
import { HOLD_RECOVERY, Holds } from "./hold.js";
import { PAGE_SIZE, type Storage } from "./storage.js";
import { CARRIER, type StorageCarrier } from "./storage-carrier.js";
import {
  STREAM_MEMORY,
  type BufferWork,
  type StreamBuffer,
  type StreamBuffers,
  type StreamMemory,
} from "./stream-buffer.js";

/** The work on the buffers of a domain in which there are fences. */
export const BUFFER_WORK: Part<(bufferSlot: number) => BufferWork> = { name: "work" };

/**
 * The memory of streams, and no other buffers: a domain with these alone has no exporters of programs, no attachments and
 * no moves.
 */
export const PLAIN_BUFFERS: Feature = {
  name: "buffers of streams",
  shares: ["buffers"],
  steps: [HOLD_RECOVERY, BUFFER_SLOTS.recovery],
  install(core) {
    const buffers = new PlainBuffers(core);
    core.provide(STREAM_MEMORY, buffers);
    core.onClose(() => buffers.close());
    return {};
  },
};

// eslint-disable-next-line require-yield -- it waits for nothing
function* atOnce(): Steps<boolean> {
  return true;
}

const NO_WORK: BufferWork = {
  testFinished: () => true,
  overdueWork: () => undefined,
  signaled: atOnce,
  finished: atOnce,
  waitsFor: () => "",
};

/** What an agent knows of one buffer that it holds. */
interface PlainRecord {
  readonly key: BufferKey;
  readonly storage: Storage;
  readonly holds: Holds;
  readonly work: BufferWork;
  /** How many streams of this agent use it. */
  users: number;
}

class PlainBuffers implements StreamBuffers {
  readonly #core: Core;
  readonly #agent: Agent;
  readonly #carrier: StorageCarrier;
  /** By their slots. */
  readonly #records = new Map<number, PlainRecord>();

  constructor(core: Core) {
    this.#core = core;
    this.#agent = core.agent;
    this.#carrier = core.get(CARRIER);
  }

  allocate(size: number, options: StreamMemory): StreamBuffer {
    if (options.heap) throw new DmaBufError("EOPNOTSUPP", "Cannot use a heap: this domain has none");
    const length = Math.ceil(size / PAGE_SIZE) * PAGE_SIZE;
    const storage = this.#carrier.allocate(length, options);
    try {
      const { name } = options;
      const key = claimBuffer(this.#agent, { size: length, name, exporterName: "system", file: storage.file });
      return this.#use(this.#add(key, storage));
    } catch (error) {
      storage.release(true);
      throw error;
    }
  }

  import(handle: BufferHandleData): StreamBuffer {
    checkBufferHandle(this.#agent, handle);
    const { slot, generation, inflight } = handle;
    let record = this.#records.get(slot);
    if (record?.key.generation !== generation) record = this.#receive({ slot, generation }, handle);
    // The buffer is held now: the handle's own hold, if it is still there, has done its work.
    BUFFER_SLOTS.endInflight(this.#agent, slot, inflight);
    return this.#use(record);
  }

  /** The agent leaves, and with it all its references. */
  close(): void {
    for (const record of [...this.#records.values()]) this.#end(record);
  }

  #receive(key: BufferKey, handle: BufferHandleData): PlainRecord {
    // A record of another generation holds a reference here: then this buffer is gone.
    if (this.#records.has(key.slot) || !BUFFER_SLOTS.addReference(this.#agent, key)) {
      throw new DmaBufError("ESTALE", "Cannot import the buffer: it was freed before the handle was imported");
    }
    try {
      if (handle.size !== bufferSize(this.#agent, key.slot)) {
        throw new DmaBufError("EINVAL", 'Cannot import the buffer: "size" of its handle is damaged');
      }
      return this.#add(key, this.#carrier.receive(handle, undefined).storage);
    } catch (error) {
      BUFFER_SLOTS.dropReference(this.#agent, key.slot);
      throw error;
    }
  }

  #add(key: BufferKey, storage: Storage): PlainRecord {
    const work = this.#core.get(BUFFER_WORK)?.(key.slot) ?? NO_WORK;
    const record = { key, storage, holds: new Holds(this.#agent, key.slot), work, users: 0 };
    this.#records.set(key.slot, record);
    return record;
  }

  #use(record: PlainRecord): StreamBuffer {
    const { storage, holds, work } = record;
    record.users++;
    let isOpen = true;
    return {
      storage,
      unmoved: storage,
      holds,
      work,
      handle: () => this.#handleTo(record),
      close: () => {
        if (isOpen && --record.users === 0) this.#end(record);
        isOpen = false;
      },
    };
  }

  #handleTo({ key, storage }: PlainRecord): BufferHandle {
    const { agent, handleLimit } = this.#core;
    const segments = this.#carrier.send({ key, version: 0, storage }, "read");
    const size = bufferSize(agent, key.slot);
    return makeBufferHandle(agent, key, { mode: "read", size, version: 0, segments }, handleLimit);
  }

  #end({ key, storage, holds }: PlainRecord): void {
    const { slot, generation } = key;
    if (this.#records.get(slot)?.key.generation !== generation) return;
    this.#records.delete(slot);
    holds.releaseAll();
    storage.release(BUFFER_SLOTS.dropReference(this.#agent, slot));
  }
}
