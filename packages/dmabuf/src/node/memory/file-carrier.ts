import { allOrNothing } from "../../all-or-nothing.js";
import type { HandleMode, BufferHandleData } from "../../buffer/handle.js";
import type { StorageSegment } from "../../buffer/storage.js";
import type { StorageCarrier } from "../../buffer/storage-carrier.js";
import type { StorageExchange, StorageKeeper, StorageVersion } from "../../buffer/storage-exchange.js";
import type { Agent } from "../../domain/agent.js";
import { isLive, otherAgents, type Identity } from "../../domain/agent-slot.js";
import { BUFFER_SLOTS, type BufferKey, bufferSize } from "../../buffer/buffer-slot.js";
import { DmaBufError } from "../../errors.js";
import { keyOf, ReceivedStorage, serves, type Delivery } from "./received-storage.js";
import type { FilePart } from "./file-overlay.js";
import { FileStorage } from "./file-storage.js";
import type { AskForStorage, FileSegment, NoStorage, StorageMessage, StorageName } from "../messages/message.js";
import type { PostOffice } from "../messages/post-office.js";
import type { MemoryMapping } from "./memory-mapping.js";
import { MemoryObject } from "./memory-object.js";
import type { ResourceLedger } from "../resources/resource-ledger.js";
import { duplicateDescriptor } from "../system-calls/index.js";

/**
 * The storage of processes: memory files, whose descriptors are in the mailboxes of all agents from the first handle
 * on.
 *
 * file-carrier.1. The agent that makes a handle sends the descriptors to the mailbox of each agent that has not had them from
 *     it, with no more rights than the handle gives. So an importer needs no other agent: neither the exporter, who may be
 *     blocked or dead, nor a turn of its own event loop.
 * file-carrier.2. What is missing (a full mailbox, an agent that joined later) is asked for. Every agent answers, also
 *     one whose thread blocks in the library: with the memory, or that it has none. A full mailbox takes no question and no
 *     answer: who has not answered is asked again. So every question ends.
 * file-carrier.3. Descriptors that were never needed are closed when their buffer is gone: looked at with each message
 *      that comes, and from time to time.
 * file-carrier.4. The memory of a freed buffer is given back by the agent that frees it, or, if that one may only read, by its
 *     exporter, which keeps the files while the buffer lives, and answers with them: descriptors on their way hold no
 *     memory. Memory that a move has left is given back at once.
 */

/** Milliseconds, for an agent that runs, and neither waits nor returns to its event loop. */
const ANSWER_LIMIT = 2_000;
/** Milliseconds between two looks at the mailbox: answers ring, too. */
const LOOK_AGAIN = 5;
/** Milliseconds until a question is asked once more; then twice as many, each time. */
const ASK_AGAIN = 100;

export interface FileCarrierParts {
  readonly agent: Agent;
  readonly ledger: ResourceLedger;
  readonly post: PostOffice;
}

/** As it is in this carrier. */
interface FileVersion extends StorageVersion {
  readonly storage: FileStorage;
}

/** Memory of the caller's; it is unmapped by its close, or when the domain is left. Buffers made of it keep theirs. */
export interface ExportableMemory extends StorageSegment, Disposable {
  /** Unmaps it. Twice does nothing. */
  close(): void;
}

export class FileCarrier implements StorageCarrier, StorageExchange {
  readonly receivesWhileBlocked = true;
  readonly #parts: FileCarrierParts;
  readonly #received: ReceivedStorage;
  /** Which buffer's storage something is that was exported here and sent, until it is left by a move. */
  readonly #names = new WeakMap<FileStorage, FileVersion>();
  /** The files of buffers that were exported here and are held by others, or by handles alone. */
  readonly #kept = new Set<FileVersion>();
  readonly #questions = new Set<Question>();
  readonly #memories = new Map<ArrayBufferLike, OwnMemory>();
  #keeper: StorageKeeper | undefined;

  constructor(parts: FileCarrierParts) {
    const { post } = parts;
    this.#parts = parts;
    post.on("storage", (message, _, files) => this.#take({ ...message, files }));
    post.on("ask for storage", (question, from) => this.#answer(question, from));
    post.on("no storage", (answer, from) => this.#denied(answer, from));
    this.#received = new ReceivedStorage(parts.agent, parts.ledger);
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
    return allOrNothing((orUndo) => {
      orUndo(() => object.close());
      const storage = this.#exported([{ object, offset: 0, length }], true);
      orUndo(() => storage.release(true));
      // The mapping of this agent is the last one that can write.
      if (sealed) object.sealWriters();
      return storage;
    });
  }

  /** Memory that can be exported, whole or in parts; it is the caller's. */
  createMemory(length: number): ExportableMemory {
    const object = MemoryObject.create(this.#parts.ledger, { name: "dmabuf memory", length });
    const mapping = allOrNothing((orUndo) => {
      orUndo(() => object.close());
      return object.map();
    });
    mapping.beginUse();
    const memory = mapping.buffer;
    this.#memories.set(memory, { object, mapping });
    const close = (): void => this.#closeMemory(memory);
    return { memory, offset: 0, length, close, [Symbol.dispose]: close };
  }

  adopt(segments: readonly StorageSegment[]): FileStorage {
    return allOrNothing((orUndo) => {
      const parts = segments.map(({ memory, offset, length }, i): FilePart => {
        const own = this.#memories.get(memory)?.object;
        if (own === undefined) {
          const hint = "use memory of createMemory()";
          throw new DmaBufError("EINVAL", `Cannot export segment ${i}: no other process could reach it; ${hint}`);
        }
        const { ledger } = this.#parts;
        const object = MemoryObject.adopt(
          ledger,
          ledger.open(() => duplicateDescriptor(own.fd)),
        );
        orUndo(() => object.close());
        return { object, offset, length };
      });
      return this.#exported(parts, false);
    });
  }

  send(version: StorageVersion, mode: HandleMode): [] {
    const held = this.#named(version);
    if (mode === "read-write" && held.storage.isSealed) {
      throw new DmaBufError("EPERM", "Cannot make a handle to write: the memory is sealed");
    }
    // The agent that imports it asks for what this agent cannot send.
    if (!held.storage.canSend(mode)) return [];
    for (const to of otherAgents(this.#parts.agent)) {
      if (!held.storage.wasSent(mode, to)) this.#deliver(to, held, mode);
    }
    return [];
  }

  receive(handle: BufferHandleData, held: FileVersion | undefined): FileVersion {
    const allows = (here: FileVersion): boolean => here.storage.isWritable || handle.mode === "read";
    if (held !== undefined && allows(held)) return held;
    const { slot, generation, mode } = handle;
    const name = { slot, generation, version: held?.version ?? handle.version, mode };
    // What was lost before may have been closed since.
    this.#parts.post.takeLoss();
    const found = this.#deliveryFor(name) ?? this.#deliveryOfKept(name) ?? this.#awaitAnswer(name);
    if ("storage" in found) return found;
    return { key: keyOf(found), version: found.version, storage: this.#open(found, held?.storage) };
  }

  announce(moved: StorageVersion): void {
    const before = this.#heldAt(moved.key);
    const now = this.#named(moved);
    if (before === undefined) return;
    this.#names.delete(before.storage);
    for (const to of otherAgents(this.#parts.agent)) {
      // An agent that has had the old memory from here needs the new one; others ask.
      for (const mode of ["read", "read-write"] as const) {
        if (before.storage.wasSent(mode, to)) this.#deliver(to, now, mode);
      }
    }
  }

  ask(key: BufferKey, version: number): void {
    // What was announced is there.
    this.#parts.post.read();
    const held = this.#heldAt(key);
    if (held === undefined || ((held.version - version) | 0) >= 0) return;
    const name: StorageName = { ...key, version, mode: modeOf(held.storage) };
    const delivery = this.#received.take(name);
    if (delivery !== undefined) return this.#arrived(delivery);
    const question = this.#ask(name);
    question.missing = () => this.#keeper!.missing(key, version);
    if (question.asked.size === 0) this.#end(question);
  }

  /**
   * Agents that have left or died answer no question any more, and buffers that are gone need no memory; who has not
   * answered is asked again. Call it from time to time.
   */
  sweep(): void {
    this.#received.dropStale();
    const { agent } = this.#parts;
    for (const question of this.#questions) {
      for (const to of question.asked) if (!isLive(agent, to)) question.asked.delete(to);
      if (question.asked.size === 0) this.#end(question);
      else if (agent.host.nowNs() > question.nextNs) this.#send(question);
    }
  }

  close(): void {
    this.#received.close();
    for (const { storage } of this.#kept) storage.closeFiles(false);
    this.#kept.clear();
    for (const memory of this.#memories.keys()) this.#closeMemory(memory);
  }

  #closeMemory(memory: ArrayBufferLike): void {
    const own = this.#memories.get(memory);
    this.#memories.delete(memory);
    own?.mapping.close();
    own?.object.close();
  }

  #named(version: StorageVersion): FileVersion {
    const named = version as FileVersion;
    this.#names.set(named.storage, named);
    return named;
  }

  /** What this agent holds of a buffer. */
  #heldAt(key: BufferKey): FileVersion | undefined {
    const held = this.#keeper!.storageOf(key) as FileVersion | undefined;
    return held?.storage.isReleased === false ? held : undefined;
  }

  #deliver(to: Identity, { key, version, storage }: FileVersion, mode: HandleMode): void {
    const segments = segmentsOf(storage);
    const message: StorageMessage = { kind: "storage", ...key, version, mode, isOwned: storage.isOwned, segments };
    if (this.#parts.post.send(to, message, storage.descriptors(mode))) storage.setSent(mode, to);
  }

  #take(delivery: Delivery): void {
    for (const question of this.#questions) if (serves(delivery, question.name)) this.#questions.delete(question);
    const held = this.#heldAt(keyOf(delivery));
    const isNewer = held !== undefined && ((delivery.version - held.version) | 0) > 0;
    if (isNewer && delivery.mode === modeOf(held.storage)) this.#arrived(delivery);
    else this.#received.add(delivery);
  }

  /** New memory of a buffer that this agent holds. */
  #arrived(delivery: Delivery): void {
    const storage = this.#open(delivery, undefined);
    this.#keeper!.arrived({ key: keyOf(delivery), version: delivery.version, storage });
  }

  /** What has come, or arrives now, for a handle. */
  #deliveryFor(name: StorageName): Delivery | FileVersion | undefined {
    this.#parts.post.read();
    const held = this.#heldAt(name);
    if (held !== undefined && serves({ ...name, version: held.version, mode: modeOf(held.storage) }, name)) return held;
    return this.#received.take(name);
  }

  /** This agent has closed the buffer that it exported, and imports it again. */
  #deliveryOfKept(name: StorageName): Delivery | undefined {
    const kept = this.#keptAt(name);
    if (kept === undefined || !canSend(kept, name)) return undefined;
    const { isOwned } = kept.storage;
    const segments = segmentsOf(kept.storage);
    const { ledger } = this.#parts;
    const files = allOrNothing((orUndo) =>
      kept.storage.descriptors(name.mode).map((descriptor) => {
        const file = ledger.open(() => duplicateDescriptor(descriptor));
        orUndo(() => ledger.close(file));
        return file;
      }),
    );
    return { kind: "storage", ...kept.key, version: kept.version, mode: name.mode, isOwned, segments, files };
  }

  #keptAt({ slot, generation }: BufferKey): FileVersion | undefined {
    return [...this.#kept].find(({ key }) => key.slot === slot && key.generation === generation);
  }

  /**
   * @throws {DmaBufError} `ESTALE` if the buffer goes during the wait, or no agent has its memory; `EMFILE` if this process can
   *   open nothing more; `ETIMEDOUT`.
   */
  #awaitAnswer(name: StorageName): Delivery | FileVersion {
    const { agent, post } = this.#parts;
    const end = agent.host.nowNs() + ANSWER_LIMIT * 1e6;
    const question = this.#ask(name);
    for (;;) {
      const found = this.#deliveryFor(name);
      if (found !== undefined) return found;
      const lost = post.takeLoss();
      if (lost !== undefined) {
        this.#questions.delete(question);
        throw lost;
      }
      this.sweep();
      if (!BUFFER_SLOTS.isLive(agent, keyOf(name)) || question.asked.size === 0) {
        throw new DmaBufError("ESTALE", "Cannot import the buffer: no agent has its memory any more");
      }
      if (agent.host.nowNs() > end) {
        this.#questions.delete(question);
        throw new DmaBufError("ETIMEDOUT", `Cannot import the buffer: no holder has answered in ${ANSWER_LIMIT} ms`);
      }
      agent.waitSync({ arm() {}, ready: () => post.hasMessages }, LOOK_AGAIN);
    }
  }

  #ask(name: StorageName): Question {
    const asked = new Set(otherAgents(this.#parts.agent));
    const question: Question = { name, asked, nextNs: 0, patienceMs: ASK_AGAIN, missing() {} };
    this.#questions.add(question);
    this.#send(question);
    return question;
  }

  /** To all that have not answered. */
  #send(question: Question): void {
    const { agent, post } = this.#parts;
    for (const to of question.asked) post.send(to, { kind: "ask for storage", ...question.name });
    question.nextNs = agent.host.nowNs() + question.patienceMs * 1e6;
    question.patienceMs *= 2;
  }

  #answer(question: AskForStorage, from: Identity): void {
    const here = this.#heldAt(question) ?? this.#keptAt(question);
    if (here !== undefined && canSend(here, question)) this.#deliver(from, here, question.mode);
    else this.#parts.post.send(from, { ...question, kind: "no storage" });
  }

  #denied(answer: NoStorage, from: Identity): void {
    for (const question of this.#questions) {
      const { name } = question;
      if (name.slot !== answer.slot || name.generation !== answer.generation || name.version !== answer.version)
        continue;
      if (question.asked.delete(from) && question.asked.size === 0) this.#end(question);
    }
  }

  #end(question: Question): void {
    if (this.#questions.delete(question)) question.missing();
  }

  /** @param before What the agent has of it for reading alone: it goes with the new one. */
  #open(delivery: Delivery, before: FileStorage | undefined): FileStorage {
    const parts = this.#adoptAll(delivery);
    try {
      return new FileStorage(parts, delivery.isOwned, (self, isFreed) => {
        self.closeFiles(isFreed);
        before?.release(false);
      });
    } catch (error) {
      // There may be room for it later, and then no agent need be asked.
      this.#received.add({ ...delivery, files: parts.map(({ object }) => object.giveUp()) });
      throw error;
    }
  }

  #adoptAll({ slot, mode, segments, files }: Delivery): FilePart[] {
    const { agent, ledger } = this.#parts;
    const pending = [...files];
    return allOrNothing((orUndo) => {
      orUndo(() => pending.forEach((file) => ledger.close(file)));
      const parts = segments.map(({ offset, length }): FilePart => {
        const object = MemoryObject.adopt(ledger, pending.shift()!);
        orUndo(() => object.close());
        if (offset + length > object.length) throw damaged(`a segment ends beyond its ${object.length} bytes`);
        if (mode === "read-write" && !object.isWritable) throw damaged("its memory can only be read");
        return { object, offset, length };
      });
      const [actual, size] = [parts.reduce((sum, { length }) => sum + length, 0), bufferSize(agent, slot)];
      if (actual !== size) throw damaged(`its memory has ${actual} bytes, it has ${size}`);
      return parts;
    });
  }

  /** @param isOwned Whether the memory is the buffer's alone, and goes with it. */
  #exported(parts: readonly FilePart[], isOwned: boolean): FileStorage {
    return new FileStorage(parts, isOwned, (self, isFreed) => {
      const named = this.#names.get(self);
      // Memory without a name has been left by a move, or was never sent.
      if (isFreed || named === undefined) return self.closeFiles(true);
      if (this.#keptAt(named.key) !== undefined) return self.closeFiles(false);
      // file-carrier.4
      this.#kept.add(named);
      const { agent } = this.#parts;
      agent.watch({ arm() {}, ready: () => !BUFFER_SLOTS.isLive(agent, named.key) }, () => {
        if (this.#kept.delete(named)) self.closeFiles(true);
      });
    });
  }
}

/** What `createMemory` has made. */
interface OwnMemory {
  readonly object: MemoryObject;
  readonly mapping: MemoryMapping;
}

/** Something that was asked of all agents. */
interface Question {
  readonly name: StorageName;
  /** The agents that have not answered. */
  readonly asked: Set<Identity>;
  /** When it is asked again, and how many milliseconds later once more. */
  nextNs: number;
  patienceMs: number;
  /** No agent has it. */
  missing: () => void;
}

/** Whether others can be sent this for what they need. */
function canSend({ key, version, storage }: FileVersion, needs: StorageName): boolean {
  const mode = storage.isWritable && !storage.isSealed ? "read-write" : "read";
  return serves({ ...key, version, mode }, needs) && storage.canSend(needs.mode);
}

function modeOf({ isWritable }: FileStorage): HandleMode {
  return isWritable ? "read-write" : "read";
}

/** Where the memory is in its files. */
function segmentsOf({ parts }: FileStorage): FileSegment[] {
  return parts.map(({ offset, length }) => ({ offset, length }));
}

function damaged(reason: string): DmaBufError {
  return new DmaBufError("EINVAL", `Cannot import the buffer: ${reason}`);
}
