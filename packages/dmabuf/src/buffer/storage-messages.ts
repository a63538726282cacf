import type { Agent } from "../domain/agent.js";
import { ring, slotOf, type Identity } from "../domain/agent-slot.js";
import type { BufferKey } from "./buffer-slot.js";
import { AGENT } from "../domain/layout.js";
import type { NeighbourMessage, Neighbours } from "../host/neighbours.js";
import type { Storage, StorageSegment } from "./storage.js";
import type { StorageExchange, StorageKeeper, StorageVersion } from "./storage-exchange.js";

/**
 * Moved storage among threads: only a message can carry a `SharedArrayBuffer`, and messages go along lifelines, from
 * neighbour to neighbour.
 *
 * storage-messages.1. New storage goes to all neighbours, and each forwards it to its others: lifelines form a tree, so
 *      it comes once.
 * storage-messages.2. A question goes the same way until an agent has the storage; the answer goes back by the way of
 *      the question. An agent without it says so when all those that it asked itself have said so, or have ended. So every
 *      question is answered.
 * storage-messages.3. A sender raises the receiver's MESSAGES after the message and then rings: a thread that blocks
 *      looks at MESSAGES before it sleeps, where it can take messages without returning to its event loop.
 */
export class StorageMessages implements StorageExchange {
  readonly #agent: Agent;
  readonly #neighbours: Neighbours;
  readonly #adopt: (segments: readonly StorageSegment[]) => Storage;
  readonly #questions = new Map<string, Question>();
  #keeper: StorageKeeper | undefined;
  #asked = 0;
  #seen = 0;

  /** @param adopt Makes storage of the segments that a message has brought. */
  constructor(agent: Agent, neighbours: Neighbours, adopt: (segments: readonly StorageSegment[]) => Storage) {
    this.#agent = agent;
    this.#neighbours = neighbours;
    this.#adopt = adopt;
  }

  connect(keeper: StorageKeeper): void {
    this.#keeper = keeper;
    this.#neighbours.listen(
      (message, from) => this.#take(message as Message, from),
      (gone) => this.#lost(gone),
    );
    if (this.receivesWhileBlocked) this.#agent.addInterrupt(() => this.#receiveNow());
  }

  get receivesWhileBlocked(): boolean {
    return this.#neighbours.receivesNow;
  }

  announce({ key, version, storage }: StorageVersion): void {
    const message: Message = { kind: "storage", key, version, segments: plain(storage) };
    for (const neighbour of this.#neighbours.identities) this.#send(neighbour, message);
  }

  ask(key: BufferKey, version: number): void {
    const id = `${this.#agent.identity} ${++this.#asked}`;
    this.#forward({ kind: "question", id, key, version }, this.#agent.identity);
  }

  #take(message: Message, from: Identity): void {
    if (message.kind === "question") this.#answer(message, from);
    if (message.kind === "storage") {
      for (const neighbour of this.#others(from)) this.#send(neighbour, message);
      this.#arrived(message);
    }
    if (message.kind === "answer") this.#answered(message, from);
  }

  #answer(question: QuestionMessage, from: Identity): void {
    const { id, key, version } = question;
    const here = this.#keeper!.storageOf(key);
    if (here === undefined || ((here.version - version) | 0) < 0) this.#forward(question, from);
    else this.#send(from, { kind: "answer", id, key, version: here.version, segments: plain(here.storage) });
  }

  #forward(message: QuestionMessage, from: Identity): void {
    const asked = new Set(this.#others(from));
    this.#questions.set(message.id, { message, from, asked });
    for (const neighbour of asked) this.#send(neighbour, message);
    this.#settle(message.id);
  }

  #answered(answer: AnswerMessage, from: Identity): void {
    const question = this.#questions.get(answer.id);
    if (answer.segments !== undefined) {
      this.#questions.delete(answer.id);
      if (question !== undefined && question.from !== this.#agent.identity) this.#send(question.from, answer);
      this.#arrived({ ...answer, segments: answer.segments });
    } else {
      question?.asked.delete(from);
      this.#settle(answer.id);
    }
  }

  /** Ends a question if no agent is left that could answer it. */
  #settle(id: string): void {
    const question = this.#questions.get(id);
    if (question === undefined || question.asked.size > 0) return;
    this.#questions.delete(id);
    const { key, version } = question.message;
    if (question.from !== this.#agent.identity) this.#send(question.from, { kind: "answer", id, key, version });
    else this.#keeper!.missing(key, version);
  }

  #lost(gone: Identity): void {
    for (const [id, question] of [...this.#questions]) {
      question.asked.delete(gone);
      this.#settle(id);
    }
  }

  #arrived({ key, version, segments }: Omit<StorageMessage, "kind">): void {
    this.#keeper!.arrived({ key, version, storage: this.#adopt(segments) });
  }

  #others(from: Identity): Identity[] {
    return this.#neighbours.identities.filter((identity) => identity !== from);
  }

  #send(to: Identity, message: Message): void {
    const { memory, layout } = this.#agent;
    this.#neighbours.send(to, message);
    // SYNC POINT send-before-count: pairs with #receiveNow().
    memory.add(layout.agent(slotOf(to)) + AGENT.MESSAGES, 1);
    ring(this.#agent, slotOf(to));
  }

  #receiveNow(): void {
    const { memory, layout, identity } = this.#agent;
    const count = memory.load(layout.agent(slotOf(identity)) + AGENT.MESSAGES);
    if (count === this.#seen) return;
    // SYNC POINT send-before-count.
    this.#seen = count;
    this.#neighbours.receiveNow();
  }
}

interface StorageMessage extends NeighbourMessage {
  readonly kind: "storage";
  readonly key: BufferKey;
  readonly version: number;
  readonly segments: readonly StorageSegment[];
}

interface QuestionMessage extends NeighbourMessage {
  readonly kind: "question";
  /** The agent that asks, and its number of the question. */
  readonly id: string;
  readonly key: BufferKey;
  readonly version: number;
}

interface AnswerMessage extends NeighbourMessage {
  readonly kind: "answer";
  readonly id: string;
  readonly key: BufferKey;
  readonly version: number;
  /** Nothing if no agent has it. */
  readonly segments?: readonly StorageSegment[];
}

type Message = StorageMessage | QuestionMessage | AnswerMessage;

/** A question that is not answered yet. */
interface Question {
  readonly message: QuestionMessage;
  readonly from: Identity;
  /** The agents that have not answered. */
  readonly asked: Set<Identity>;
}

/** What a message can carry of storage. */
function plain({ segments }: Storage): StorageSegment[] {
  return segments.map(({ memory, offset, length }) => ({ memory, offset, length }));
}
