import type { HandleMode, ReceivedHandle } from "../buffer/handle.js";
import type { StorageSegment } from "../buffer/storage.js";
import type { StorageCarrier } from "../buffer/storage-carrier.js";
import type { StorageExchange, StorageKeeper, StorageVersion } from "../buffer/storage-exchange.js";
import type { Agent } from "../domain/agent.js";
import { isLive, otherAgents, type Identity } from "../domain/agent-slot.js";
import { bufferSize, isBufferLive, type BufferKey } from "../domain/buffer-slot.js";
import { DmaBufError } from "../errors.js";
import { Deposits, serves, type Deposit } from "./deposits.js";
import { FileStorage, type FilePart } from "./file-storage.js";
import type { Inbox } from "./inbox.js";
import type { AskForStorage, NoStorage, StorageLetter, StorageName } from "./letter.js";
import { MemoryObject } from "./memory-object.js";
import type { ResourceLedger } from "./resource-ledger.js";
import { closeDescriptor, duplicateDescriptor } from "./system-calls.js";

/**
 * The storage of processes: memory files, whose descriptors lie in the inboxes of all agents from the first handle on.
 *
 * FC1. Whoever makes a handle puts the descriptors into the inbox of each agent that has not had them from it, with no
 *     more rights than the handle gives. So an importer needs nobody: neither the exporter, who may be blocked or dead,
 *     nor a turn of its own event loop.
 * FC2. What is missing (a full inbox, an agent that joined later) is asked for. Every agent answers, also one that
 *     blocks in the library: with the memory, or that it has none. So every question ends.
 * FC3. Descriptors that were never needed are closed when their buffer is gone: looked at with each letter that comes.
 * FC4. The memory of a freed buffer is given back by whoever frees it, or, if that one may only read, by its exporter,
 *     who keeps the files while the buffer lives: descriptors that lie about hold no memory. Memory that a move has left
 *     is given back at once.
 */

/** Milliseconds, for an agent that runs, and neither waits nor returns to its event loop. */
const ANSWER_LIMIT = 2_000;
/** Milliseconds between two looks at the inbox: answers ring, too. */
const LOOK_AGAIN = 5;

export interface FileCarrierParts {
  readonly agent: Agent;
  readonly ledger: ResourceLedger;
  readonly inbox: Inbox;
  /** Takes all letters out of the inbox, and hands those about storage to {@link FileCarrier.read}. */
  readonly readLetters: () => void;
}

/** What this agent can answer with. */
interface Held extends StorageVersion {
  readonly storage: FileStorage;
}

export class FileCarrier implements StorageCarrier, StorageExchange {
  readonly receivesWhileBlocked = true;
  readonly #parts: FileCarrierParts;
  readonly #deposits: Deposits;
  /** By the buffer's slot. */
  readonly #held = new Map<number, Held>();
  /** The files of buffers that were exported here and are held by others, or by handles alone. */
  readonly #kept = new Map<FileStorage, Held>();
  readonly #questions = new Set<Question>();
  readonly #memories = new WeakMap<ArrayBufferLike, MemoryObject>();
  #keeper: StorageKeeper | undefined;

  constructor(parts: FileCarrierParts) {
    this.#parts = parts;
    this.#deposits = new Deposits(parts.agent);
  }

  get exchange(): StorageExchange {
    return this;
  }

  connect(keeper: StorageKeeper): void {
    this.#keeper = keeper;
  }

  /** @throws {DmaBufError} `ENOMEM` if there is not so much; `EMFILE` if there is no descriptor left. */
  allocate(length: number, options: { readonly name?: string; readonly sealed?: boolean }): FileStorage {
    const { name = "", sealed = false } = options;
    const object = MemoryObject.create(this.#parts.ledger, { name: `dmabuf ${name}`.trimEnd(), length, sealed });
    const storage = this.#exported([{ object, offset: 0, length }], true);
    // The mapping of this agent is the last one that can write.
    if (sealed) object.sealWriters();
    return storage;
  }

  /** Memory that can be exported, whole or in parts; it is the caller's. */
  createMemory(length: number): StorageSegment {
    const object = MemoryObject.create(this.#parts.ledger, { name: "dmabuf memory", length });
    const mapping = object.map();
    mapping.use();
    const memory = mapping.buffer;
    this.#memories.set(memory, object);
    return { memory, offset: 0, length };
  }

  adopt(segments: readonly StorageSegment[]): FileStorage {
    const parts = segments.map(({ memory, offset, length }, i): FilePart => {
      const object = this.#memories.get(memory);
      if (object === undefined) {
        const hint = "use memory of createMemory()";
        throw new DmaBufError("EINVAL", `Cannot export segment ${i}: no other process could reach it; ${hint}`);
      }
      return { object: MemoryObject.adopt(this.#parts.ledger, duplicateDescriptor(object.fd)), offset, length };
    });
    return this.#exported(parts, false);
  }

  send(version: StorageVersion, mode: HandleMode): [] {
    const held = this.#hold(version);
    if (mode === "read-write" && held.storage.isSealed) {
      throw new DmaBufError("EPERM", "Cannot make a handle to write: the memory is sealed");
    }
    // Whoever imports it asks for what this agent cannot send.
    if (!held.storage.canSend(mode)) return [];
    for (const to of otherAgents(this.#parts.agent)) {
      if (!held.storage.wasSent(mode, to)) this.#deposit(to, held, mode);
    }
    return [];
  }

  receive(handle: ReceivedHandle, held: FileStorage | undefined): FileStorage {
    if (held !== undefined && (held.isWritable || handle.mode === "read")) return held;
    // What was lost before may have been closed since.
    this.#parts.inbox.takeLoss();
    const deposit = this.#depositFor(handle) ?? this.#depositOfKept(handle) ?? this.#awaitAnswer(handle);
    const storage = this.#open(deposit, held);
    this.#hold({ key: keyOf(deposit), version: deposit.version, storage });
    return storage;
  }

  announce(moved: StorageVersion): void {
    const before = this.#held.get(moved.key.slot);
    const held = this.#hold(moved);
    for (const to of otherAgents(this.#parts.agent)) {
      // Who has had the old memory from here needs the new one; others ask.
      for (const mode of ["read", "read-write"] as const) {
        if (before?.storage.wasSent(mode, to) === true) this.#deposit(to, held, mode);
      }
    }
  }

  ask(key: BufferKey, version: number): void {
    const before = this.#held.get(key.slot);
    const mode = before?.key.generation === key.generation && !before.storage.isWritable ? "read" : "read-write";
    const name: StorageName = { ...key, version, mode };
    const deposit = this.#deposits.take(name);
    if (deposit !== undefined) return this.#arrived(deposit);
    const question = this.#ask(name);
    question.missing = () => this.#keeper!.missing(key, version);
    if (question.asked.size === 0) this.#end(question);
  }

  /** A letter about storage. @param descriptors The carrier's from now on. */
  read(letter: StorageLetter | AskForStorage | NoStorage, from: Identity, descriptors: readonly number[]): void {
    if (letter.kind === "storage") this.#take({ ...letter, descriptors });
    else if (letter.kind === "ask for storage") this.#answer(letter, from);
    else this.#denied(letter, from);
  }

  /** Who has left or died answers no question any more, whoever has noticed it first. Call it from time to time. */
  lookAround(): void {
    for (const question of this.#questions) {
      for (const to of question.asked) if (!isLive(this.#parts.agent, to)) question.asked.delete(to);
      if (question.asked.size === 0) this.#end(question);
    }
  }

  close(): void {
    this.#deposits.close();
    for (const storage of this.#kept.keys()) storage.closeFiles(false);
    this.#kept.clear();
  }

  #hold({ key, version, storage }: StorageVersion): Held {
    const held = { key, version, storage: storage as FileStorage };
    held.storage.key = key;
    this.#held.set(key.slot, held);
    return held;
  }

  #deposit(to: Identity, { key, version, storage }: Held, mode: HandleMode): void {
    const segments = storage.segments.map(({ offset, length }) => ({ offset, length }));
    const letter: StorageLetter = { kind: "storage", ...key, version, mode, isOwned: storage.isOwned, segments };
    if (this.#parts.inbox.post(to, letter, storage.descriptors(mode))) storage.setSent(mode, to);
  }

  #take(deposit: Deposit): void {
    for (const question of this.#questions) if (serves(deposit, question.name)) this.#questions.delete(question);
    const held = this.#held.get(deposit.slot);
    const here = held && { ...held.key, version: held.version, mode: deposit.mode };
    const isNewer = here !== undefined && serves(deposit, here) && deposit.version !== here.version;
    if (isNewer && (deposit.mode === "read-write") === held!.storage.isWritable) this.#arrived(deposit);
    else this.#deposits.add(deposit);
  }

  /** New memory of a buffer that this agent holds. */
  #arrived(deposit: Deposit): void {
    const storage = this.#open(deposit, undefined);
    const moved = { key: keyOf(deposit), version: deposit.version, storage };
    this.#hold(moved);
    this.#keeper!.arrived(moved);
  }

  #depositFor({ slot, generation, version, mode }: ReceivedHandle): Deposit | undefined {
    this.#parts.readLetters();
    return this.#deposits.take({ slot, generation, version, mode });
  }

  /** This agent has closed the buffer, and imports it again. */
  #depositOfKept(handle: ReceivedHandle): Deposit | undefined {
    const { slot, generation, version, mode } = handle;
    const kept = this.#heldFor({ slot, generation, version, mode });
    if (kept === undefined) return undefined;
    const { isOwned, segments } = kept.storage;
    const descriptors = kept.storage.descriptors(mode).map(duplicateDescriptor);
    return { kind: "storage", ...kept.key, version: kept.version, mode, isOwned, segments, descriptors };
  }

  /**
   * @throws {DmaBufError} `ESTALE` if the buffer goes meanwhile, or nobody has its memory; `EMFILE` if this process can
   *   open nothing more; `ETIMEDOUT`.
   */
  #awaitAnswer(handle: ReceivedHandle): Deposit {
    const { agent, inbox } = this.#parts;
    const { slot, generation, version, mode } = handle;
    const end = agent.host.nowNs() + ANSWER_LIMIT * 1e6;
    const question = this.#ask({ slot, generation, version, mode });
    for (;;) {
      const deposit = this.#depositFor(handle);
      if (deposit !== undefined) return deposit;
      const lost = inbox.takeLoss();
      if (lost !== undefined) {
        this.#questions.delete(question);
        throw lost;
      }
      this.lookAround();
      if (!isBufferLive(agent, keyOf(handle)) || question.asked.size === 0) {
        throw new DmaBufError("ESTALE", "Cannot import the buffer: nobody has its memory any more");
      }
      if (agent.host.nowNs() > end) {
        this.#questions.delete(question);
        throw new DmaBufError("ETIMEDOUT", `Cannot import the buffer: no holder has answered in ${ANSWER_LIMIT} ms`);
      }
      agent.waitSync({ arm() {}, ready: () => inbox.hasLetters }, LOOK_AGAIN);
    }
  }

  #ask(name: StorageName): Question {
    const { agent, inbox } = this.#parts;
    const question: Question = { name, asked: new Set(), missing() {} };
    for (const to of otherAgents(agent)) {
      if (inbox.post(to, { kind: "ask for storage", ...name })) question.asked.add(to);
    }
    this.#questions.add(question);
    return question;
  }

  #answer(question: AskForStorage, from: Identity): void {
    const held = this.#heldFor(question);
    if (held !== undefined) this.#deposit(from, held, question.mode);
    else this.#parts.inbox.post(from, { ...question, kind: "no storage" });
  }

  /** What serves for a name, of that which this agent uses or has exported. */
  #heldFor(name: StorageName): Held | undefined {
    const held = this.#held.get(name.slot);
    return [...(held === undefined ? [] : [held]), ...this.#kept.values()].find(({ key, version, storage }) => {
      const mode = storage.isWritable && !storage.isSealed ? "read-write" : "read";
      return serves({ ...key, version, mode }, name) && storage.canSend(name.mode);
    });
  }

  #denied(letter: NoStorage, from: Identity): void {
    for (const question of this.#questions) {
      const { name } = question;
      if (name.slot !== letter.slot || name.generation !== letter.generation || name.version !== letter.version)
        continue;
      if (question.asked.delete(from) && question.asked.size === 0) this.#end(question);
    }
  }

  #end(question: Question): void {
    if (this.#questions.delete(question)) question.missing();
  }

  /** @param before What the agent has of it for reading alone: it goes with the new one. */
  #open(deposit: Deposit, before: FileStorage | undefined): FileStorage {
    const { agent, ledger } = this.#parts;
    const parts: FilePart[] = [];
    const pending = [...deposit.descriptors];
    try {
      for (const { offset, length } of deposit.segments) {
        const object = MemoryObject.adopt(ledger, pending.shift()!);
        parts.push({ object, offset, length });
        if (offset + length > object.length) throw damaged(`a segment ends beyond its ${object.length} bytes`);
        if (deposit.mode === "read-write" && !object.isWritable) throw damaged("its memory can only be read");
      }
      const [actual, size] = [parts.reduce((sum, { length }) => sum + length, 0), bufferSize(agent, deposit.slot)];
      if (actual !== size) throw damaged(`its memory has ${actual} bytes, it has ${size}`);
      return this.#storage(parts, deposit.isOwned, (self, isFreed) => {
        self.closeFiles(isFreed);
        before?.release(false);
      });
    } catch (error) {
      pending.forEach(closeDescriptor);
      for (const { object } of parts) object.close();
      throw error;
    }
  }

  /** @param isOwned Whether the memory is the buffer's alone, and goes with it. */
  #exported(parts: readonly FilePart[], isOwned: boolean): FileStorage {
    return this.#storage(parts, isOwned, (self, isFreed, held) => {
      // Memory that is held no more has been left by a move, or was never sent.
      if (isFreed || held === undefined) return self.closeFiles(true);
      // FC4
      this.#kept.set(self, held);
      const { agent } = this.#parts;
      agent.watch({ arm() {}, ready: () => !isBufferLive(agent, held.key) }, () => {
        if (this.#kept.delete(self)) self.closeFiles(true);
      });
    });
  }

  #storage(
    parts: readonly FilePart[],
    isOwned: boolean,
    released: (self: FileStorage, isFreed: boolean, held: Held | undefined) => void,
  ): FileStorage {
    return new FileStorage(parts, isOwned, (self, isFreed) => {
      const held = self.key === undefined ? undefined : this.#held.get(self.key.slot);
      const isHeld = held?.storage === self;
      if (isHeld) this.#held.delete(held.key.slot);
      released(self, isFreed, isHeld ? held : undefined);
    });
  }
}

/** Something that was asked of all agents. */
interface Question {
  readonly name: StorageName;
  /** Who has not answered. */
  readonly asked: Set<Identity>;
  /** Nobody has it. */
  missing: () => void;
}

function keyOf({ slot, generation }: BufferKey): BufferKey {
  return { slot, generation };
}

function damaged(reason: string): DmaBufError {
  return new DmaBufError("EINVAL", `Cannot import the buffer: ${reason}`);
}
