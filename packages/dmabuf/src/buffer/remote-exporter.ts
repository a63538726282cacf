import type { Agent } from "../domain/agent.js";
import { exporterOf, type BufferKey } from "./buffer-slot.js";
import { EXPORTER_FLAG, postRequest, type Operation, type Pages, type RequestFields } from "./request-slot.js";
import type { Steps } from "../domain/steps.js";
import { DmaBufError } from "../errors.js";
import type { ReservationUser } from "../reservation/reservation-user.js";
import type { AccessMode } from "../reservation/usage.js";
import type { ExporterAttachment } from "./exporter.js";
import type { ExporterLink, PageLink, Table } from "./exporter-link.js";
import type { CurrentStorage } from "./current-storage.js";
import { PendingRequest } from "./pending-request.js";

/** The way to an exporter in another agent: it is asked only for what it has operations for. */
export class RemoteExporter implements ExporterLink, PageLink {
  readonly #agent: Agent;
  readonly #buffer: BufferKey;
  readonly #flags: number;
  readonly #reservation: ReservationUser;
  readonly #known: CurrentStorage;
  /** The numbers under which the exporter knows this agent's importers: those of them that it knows. */
  readonly #numbers = new Map<ExporterAttachment, number>();

  constructor(agent: Agent, buffer: BufferKey, flags: number, reservation: ReservationUser, known: CurrentStorage) {
    this.#agent = agent;
    this.#buffer = buffer;
    this.#flags = flags;
    this.#reservation = reservation;
    this.#known = known;
  }

  attach(attachment: ExporterAttachment, timeout?: number): Steps<void> | undefined {
    if ((this.#flags & (EXPORTER_FLAG.ATTACH | EXPORTER_FLAG.DETACH)) === 0) return undefined;
    const request = this.#ask("attach", attachment);
    const attached = (peerToPeer: boolean): void => void (attachment.peerToPeer = peerToPeer);
    return answered(request, timeout, attached, () => this.#numbers.delete(attachment));
  }

  detach(attachment: ExporterAttachment): void {
    if (this.#numbers.has(attachment)) this.#tell("detach", attachment);
    this.#numbers.delete(attachment);
  }

  *map(attachment: ExporterAttachment, mode: AccessMode, timeout?: number): Steps<Table> {
    const number = nextNumber();
    // First the storage, which the lock keeps as it is: what fails then has asked for nothing.
    const { segments } = yield* this.#known.arrival(timeout);
    yield* this.#ask("map", attachment, { mode, mapping: number }, this.#reservation).answer(timeout);
    return { segments, number };
  }

  unmap(attachment: ExporterAttachment, table: Table): void {
    this.#tell("unmap", attachment, { mapping: table.number });
  }

  pin(attachment: ExporterAttachment, timeout?: number): Steps<void> | undefined {
    if ((this.#flags & EXPORTER_FLAG.PIN) === 0) return undefined;
    return answered(this.#ask("pin", attachment, {}, this.#reservation), timeout);
  }

  unpin(attachment: ExporterAttachment): void {
    if ((this.#flags & EXPORTER_FLAG.PIN) !== 0) this.#tell("unpin", attachment);
  }

  get isPlain(): boolean {
    return !this.asksToBegin;
  }

  /** An exporter that only has an operation for the end is asked too: it must know what a death ends. */
  get asksToBegin(): boolean {
    return (this.#flags & (EXPORTER_FLAG.BEGIN | EXPORTER_FLAG.END)) !== 0;
  }

  begin(mode: AccessMode, timeout?: number): Steps<void> | undefined {
    if (!this.asksToBegin) return undefined;
    return answered(this.#ask("begin", undefined, { mode }), timeout);
  }

  end(mode: AccessMode): void {
    if (this.asksToBegin) this.#tell("end", undefined, { mode });
  }

  mmap(): Steps<void> | undefined {
    // Its pages have an answer of their own: they are pinned, or not.
    if ((this.#flags & EXPORTER_FLAG.PAGED) !== 0) return undefined;
    if ((this.#flags & EXPORTER_FLAG.MMAP) === 0) {
      throw new DmaBufError("EINVAL", 'Cannot map the buffer: its exporter has no operation "mmap"');
    }
    return answered(this.#ask("mmap", undefined));
  }

  fault(pages: Pages, timeout?: number): Steps<void> {
    return answered(this.#ask("fault", undefined, { pages }), timeout);
  }

  pinPages(timeout?: number): Steps<void> {
    return answered(this.#ask("pinPages", undefined), timeout);
  }

  unpinPages(): void {
    this.#tell("unpinPages", undefined);
  }

  #ask(
    operation: Operation,
    attachment: ExporterAttachment | undefined,
    more: Partial<RequestFields> = {},
    reservation?: ReservationUser,
  ): PendingRequest {
    this.#agent.validation?.asks(operation);
    return new PendingRequest(this.#agent, this.#fields(operation, attachment, more), reservation);
  }

  /** Tells the exporter something that wants no answer. While there is no place for it, it waits for one. */
  #tell(operation: Operation, attachment: ExporterAttachment | undefined, more: Partial<RequestFields> = {}): void {
    this.#post(this.#fields(operation, attachment, more));
  }

  #post(fields: RequestFields): void {
    // What an agent had asked for is given back at its end by the exporter itself.
    if (this.#agent.closed) return;
    try {
      postRequest(this.#agent, fields, false);
    } catch {
      this.#agent.host.after(RETRY_MS, () => this.#post(fields));
    }
  }

  #fields(
    operation: Operation,
    attachment: ExporterAttachment | undefined,
    more: Partial<RequestFields>,
  ): RequestFields {
    return {
      exporter: exporterOf(this.#agent, this.#buffer.slot),
      buffer: this.#buffer,
      operation,
      mode: "read",
      attachment: attachment === undefined ? 0 : this.#numberOf(attachment),
      mapping: 0,
      isDynamic: attachment?.isDynamic ?? false,
      allowPeerToPeer: attachment?.importer.allowPeerToPeer ?? false,
      name: attachment?.importer.name ?? "",
      lock: 0n,
      ...more,
    };
  }

  #numberOf(attachment: ExporterAttachment): number {
    const number = this.#numbers.get(attachment) ?? nextNumber();
    this.#numbers.set(attachment, number);
    return number;
  }
}

const RETRY_MS = 1;

let numbers = 0;

/** A number that tells this thread's attachments and mappings apart. */
function nextNumber(): number {
  return (numbers = (numbers + 1) | 0);
}

/** @param taken What the answer means. @param failed What is forgotten if there is none. */
function* answered(
  request: PendingRequest,
  timeout?: number,
  taken: (value: boolean) => void = () => {},
  failed: () => unknown = () => {},
): Steps<void> {
  try {
    taken(yield* request.answer(timeout));
  } catch (error) {
    failed();
    throw error;
  }
}
