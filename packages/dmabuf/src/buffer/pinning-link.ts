import type { Agent } from "../domain/agent.js";
import type { Steps } from "../domain/steps.js";
import { addPin, dropPin } from "./storage-slot.js";
import type { AccessMode } from "../reservation/usage.js";
import type { ExporterAttachment } from "./exporter.js";
import type { ExporterLink, Table } from "./exporter-link.js";

/**
 * The way to an exporter, with what forbids to move the storage counted on it: pins, and mappings of importers that cannot
 * follow (storage-slot.4). What an importer still has when it is detached goes with it.
 */
export class PinningLink implements ExporterLink {
  readonly #link: ExporterLink;
  readonly #agent: Agent;
  readonly #bufferSlot: number;
  readonly #pins = new Map<ExporterAttachment, number>();

  constructor(link: ExporterLink, agent: Agent, bufferSlot: number) {
    this.#link = link;
    this.#agent = agent;
    this.#bufferSlot = bufferSlot;
  }

  get isPlain(): boolean {
    return this.#link.isPlain;
  }

  get asksToBegin(): boolean {
    return this.#link.asksToBegin;
  }

  attach(attachment: ExporterAttachment, timeout?: number): Steps<void> | undefined {
    return this.#link.attach(attachment, timeout);
  }

  detach(attachment: ExporterAttachment): void {
    this.#link.detach(attachment);
    for (let pins = this.#pins.get(attachment) ?? 0; pins > 0; pins--) this.#dropPin();
    this.#pins.delete(attachment);
  }

  map(attachment: ExporterAttachment, mode: AccessMode, timeout?: number): Steps<Table> {
    if (attachment.isDynamic) return this.#link.map(attachment, mode, timeout);
    return this.#pinned(attachment, () => this.#link.map(attachment, mode, timeout));
  }

  unmap(attachment: ExporterAttachment, table: Table): void {
    this.#link.unmap(attachment, table);
    if (!attachment.isDynamic) this.#drop(attachment);
  }

  pin(attachment: ExporterAttachment, timeout?: number): Steps<void> | undefined {
    return this.#pinned(attachment, () => this.#link.pin(attachment, timeout));
  }

  unpin(attachment: ExporterAttachment): void {
    this.#link.unpin(attachment);
    this.#drop(attachment);
  }

  begin(mode: AccessMode, timeout?: number): Steps<void> | undefined {
    return this.#link.begin(mode, timeout);
  }

  end(mode: AccessMode): void {
    this.#link.end(mode);
  }

  mmap(): Steps<void> | undefined {
    return this.#link.mmap();
  }

  /** The pin is there before the exporter is asked, and goes if it refuses. */
  #pinned<C extends Steps<unknown> | undefined>(attachment: ExporterAttachment, ask: () => C): C {
    this.#add(attachment);
    try {
      const call = ask();
      return call === undefined ? call : (this.#unpinnedIfRefused(attachment, call) as C);
    } catch (error) {
      this.#drop(attachment);
      throw error;
    }
  }

  *#unpinnedIfRefused<T>(attachment: ExporterAttachment, call: Steps<T>): Steps<T> {
    try {
      return yield* call;
    } catch (error) {
      this.#drop(attachment);
      throw error;
    }
  }

  #add(attachment: ExporterAttachment): void {
    this.#pins.set(attachment, (this.#pins.get(attachment) ?? 0) + 1);
    addPin(this.#agent, this.#bufferSlot);
  }

  #drop(attachment: ExporterAttachment): void {
    const pins = this.#pins.get(attachment) ?? 0;
    if (pins === 0) return;
    this.#pins.set(attachment, pins - 1);
    this.#dropPin();
  }

  /** Those of an agent that has left are gone already. */
  #dropPin(): void {
    if (!this.#agent.closed) dropPin(this.#agent, this.#bufferSlot);
  }
}
