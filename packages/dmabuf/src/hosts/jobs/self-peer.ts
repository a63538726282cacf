import type { Socket } from "node:net";
import { codeOf, DmaBufError, textOf } from "../../errors.js";
import type { JsonValue } from "../../stream/metadata.js";
import { openData } from "../links/open-data.js";
import type { OnRead, Peer, Peers, Service } from "../peers.js";

/** This host, to its own workers: what another host is to them. Its bytes go by a connection to itself. */
export class SelfPeer implements Peer {
  readonly #peers: Peers;
  readonly #address: () => string;
  readonly #service: Required<Service>;
  readonly #end = new AbortController();

  /** @param service What it answers and hears, whatever is asked. */
  constructor(peers: Peers, address: () => string, service: Required<Service>) {
    this.#peers = peers;
    this.#address = address;
    this.#service = service;
  }

  get id(): string {
    return this.#peers.self.id;
  }

  get name(): string {
    return this.#peers.self.name;
  }

  get incarnation(): number {
    return this.#peers.self.incarnation;
  }

  get lost(): AbortSignal {
    return this.#end.signal;
  }

  async ask(_service: string, body: JsonValue, { signal }: { readonly signal?: AbortSignal } = {}): Promise<JsonValue> {
    signal?.throwIfAborted();
    let abort: () => void;
    const aborted = new Promise<never>((_, reject) => {
      abort = () => reject(signal!.reason as Error);
      signal?.addEventListener("abort", abort, { once: true });
    });
    try {
      return await Promise.race([this.#service.answer(this, body), aborted]);
    } catch (error) {
      // As from another host: an error of its own.
      throw error instanceof Error ? new DmaBufError(codeOf(error), textOf(error), { cause: error }) : error;
    } finally {
      signal?.removeEventListener("abort", abort!);
    }
  }

  tell(_service: string, body: JsonValue): void {
    queueMicrotask(() => this.#service.hear(this, body));
  }

  open(ticket: string, onread?: OnRead): Promise<Socket> {
    return openData(this.#address(), ticket, this.#peers.ownTls, this.lost, onread);
  }

  /** The host leaves. */
  close(): void {
    this.#end.abort(new DmaBufError("ESRCH", "The host has left"));
  }
}
