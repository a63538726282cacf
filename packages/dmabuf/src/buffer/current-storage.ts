import type { Agent, WaitCondition } from "../domain/agent.js";
import { ring, slotOf } from "../domain/agent-slot.js";
import type { BufferKey } from "./buffer-slot.js";
import type { Steps, Wait } from "../domain/steps.js";
import { storageVersion } from "./storage-slot.js";
import { DmaBufError } from "../errors.js";
import type { Storage } from "./storage.js";
import type { StorageExchange, StorageVersion } from "./storage-exchange.js";

/**
 * What an agent knows of where a buffer's bytes are (storage-slot.3). Storage that has arrived counts when its
 * version is published; what it replaces is let go then.
 *
 * As an {@link WaitCondition} it is ready when the storage of the version is here that is published then.
 */
export class CurrentStorage implements WaitCondition {
  readonly #agent: Agent;
  readonly #key: BufferKey;
  readonly #exchange: StorageExchange | undefined;
  #storage: Storage;
  #version: number;
  /** Newer than what counts here, by version: at most the published one, and one that is not published yet. */
  readonly #arrived = new Map<number, Storage>();
  #asked: number | undefined;
  #missing: number | undefined;

  /** @param exchange Nothing where storage cannot be moved. */
  constructor(agent: Agent, exchange: StorageExchange | undefined, { key, version, storage }: StorageVersion) {
    this.#agent = agent;
    this.#exchange = exchange;
    this.#key = key;
    this.#version = version;
    this.#storage = storage;
  }

  /** The newest that has counted here: its version may no longer be the published one. */
  get newest(): StorageVersion {
    this.look();
    return { key: this.#key, version: this.#version, storage: this.#storage };
  }

  /** The storage, if that of the published version is here. */
  look(): Storage | undefined {
    const published = storageVersion(this.#agent, this.#key.slot);
    if (published === this.#version) return this.#storage;
    const arrived = this.#arrived.get(published);
    if (arrived === undefined) return undefined;
    this.#storage.release(false);
    this.#storage = arrived;
    this.#version = published;
    this.#arrived.delete(published);
    this.#forgetBefore(published);
    return arrived;
  }

  /** The storage, for a caller that knows that it was never moved: its version is then 0. */
  get unmoved(): Storage {
    return this.#storage;
  }

  /** The storage at once. @throws {DmaBufError} `EAGAIN` if it was moved and is not here yet. */
  get current(): Storage {
    const storage = this.look();
    if (storage !== undefined) return storage;
    this.arm();
    throw new DmaBufError(
      "EAGAIN",
      "Cannot use the buffer yet: its storage was moved; wait by access() or beginCpuAccess()",
    );
  }

  arm(): void {
    const published = storageVersion(this.#agent, this.#key.slot);
    if (this.#asked === published || this.look() !== undefined) return;
    this.#asked = published;
    this.#exchange?.ask(this.#key, published);
  }

  ready(): boolean {
    if (this.look() !== undefined) return true;
    if (this.#missing !== storageVersion(this.#agent, this.#key.slot)) return false;
    this.#asked = undefined;
    this.#missing = undefined;
    throw new DmaBufError("ESRCH", "Cannot use the buffer: the threads have ended that had its moved storage");
  }

  /**
   * The storage, as soon as it is here.
   *
   * @param timeout For messages.
   * @throws {DmaBufError} `ETIMEDOUT`; `ESRCH` if no agent that can be reached has it; `EOPNOTSUPP` where a blocked
   *   thread gets no storage.
   */
  *arrival(timeout?: number): Steps<Storage> {
    for (;;) {
      const here = this.look();
      if (here !== undefined) return here;
      if (!(yield this.#arriving())) {
        throw new DmaBufError("ETIMEDOUT", `Cannot use the buffer in ${timeout} ms: its moved storage has not arrived`);
      }
    }
  }

  #arriving(): Wait {
    return {
      heldUp: () => ["use the buffer", "its moved storage has not arrived"],
      wait: (terms) => this.#agent.wait(this, terms),
      waitSync: (timeout) => {
        if (this.#exchange?.receivesWhileBlocked === true) return this.#agent.waitSync(this, timeout);
        throw new DmaBufError(
          "EOPNOTSUPP",
          "Cannot block for the buffer's moved storage, which comes by a message: use the asynchronous form of the call",
        );
      },
    };
  }

  /** Whether the exporter can move the storage in this domain. */
  get isMovable(): boolean {
    return this.#exchange !== undefined;
  }

  /** For the mover: announces new storage, which counts when `publish` has returned. */
  replace(version: number, storage: Storage, publish: () => void): void {
    this.#exchange!.announce({ key: this.#key, version, storage });
    this.#arrived.set(version, storage);
    publish();
    this.look();
  }

  /**
   * A handle has come to this agent.
   *
   * @param version The handle's.
   * @param receive Takes the handle's storage; gives back what is held, if that is as new and allows as much.
   */
  received(version: number, receive: (held: StorageVersion | undefined) => StorageVersion): void {
    const held = this.newest;
    const received = receive(((held.version - version) | 0) >= 0 ? held : undefined);
    // Other storage may have arrived in between.
    if (received.storage === this.#storage) return;
    if (received.version === this.#version) this.#storage = received.storage;
    else this.arrived(received.version, received.storage);
  }

  /** Storage has come. It may be old by now. */
  arrived(version: number, storage: Storage): void {
    const isNewer = ((version - this.#version) | 0) > 0;
    if (!isNewer || this.#arrived.has(version)) return storage.release(false);
    this.#arrived.set(version, storage);
    this.#forgetBefore(storageVersion(this.#agent, this.#key.slot));
    this.look();
    ring(this.#agent, slotOf(this.#agent.identity));
  }

  /** No agent that can be reached has this version. */
  isMissing(version: number): void {
    this.#missing = version;
    ring(this.#agent, slotOf(this.#agent.identity));
  }

  /** The agent no longer holds the buffer. @param isFreed Whether no other agent does either. */
  release(isFreed: boolean): void {
    for (const storage of this.#arrived.values()) storage.release(isFreed);
    this.#arrived.clear();
    this.#storage.release(isFreed);
  }

  #forgetBefore(published: number): void {
    for (const [version, storage] of this.#arrived) {
      if (((version - published) | 0) >= 0) continue;
      this.#arrived.delete(version);
      storage.release(false);
    }
  }
}
