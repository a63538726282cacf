import { setTimeout as pause } from "node:timers/promises";
import type { Msg, NatsConnection } from "@nats-io/transport-node";
import { DmaBufError, textOf } from "../../errors.js";
import { remoteError, type Refusal } from "../../node/connecting/json-lines.js";
import type { LimitedWarnings } from "../../node/connecting/limited-warnings.js";
import { checkFacts, type HostFacts } from "../links/facts.js";
import { connectNats, messageOf, natsCode, type NatsOptions } from "./nats-client.js";

/**
 * Where hosts find each other: by NATS.
 *
 * nats-directory.1. A host says who and where it is when it comes, when it comes back, and now and then. One that hears of a host that it
 *      has no link to asks it for a ticket, and connects.
 * nats-directory.2. What is said by NATS decides about no link that there is: a host lives as long as its link does, whatever becomes of
 *      the servers.
 * nats-directory.3. A host that is asked for a ticket and does not hear it, because it is not there, is known to be gone at once: the
 *      server says that no one answers.
 * nats-directory.4. Messages are checked field by field. One that is damaged is as if it had not come, but for a warning.
 * nats-directory.5. A host that has joined can be asked: the server knows what it listens to.
 */

/** What a directory needs of its host. */
export interface DirectoryHost {
  facts(): HostFacts;
  /** Those that are told to one host alone: with the secret. */
  ownFacts(): HostFacts;
  readonly warnings: LimitedWarnings;
  /** A ticket for one control connection to this host. */
  issueControl(): string;
  /** Another host is there. */
  found(id: string): void;
}

/** What a host answers that was asked for a ticket. */
export interface ControlTicket {
  readonly host: HostFacts;
  readonly ticket: string;
}

/** Milliseconds between two times that a host says that it is there. */
const SAY_AGAIN = 1_000;
const ASK_LIMIT = 2_000;
const DRAIN_LIMIT = 500;
const MOST_BYTES = 2_048;

export class NatsDirectory {
  readonly nats: NatsConnection;
  readonly #host: DirectoryHost;
  readonly #subject: string;
  readonly #timer: NodeJS.Timeout;

  private constructor(nats: NatsConnection, host: DirectoryHost, cluster: string) {
    this.nats = nats;
    this.#host = host;
    this.#subject = `dmabuf.${cluster}`;
    nats.subscribe(`${this.#subject}.here`, { callback: (error, message) => this.#hear(error, message) });
    nats.subscribe(`${this.#subject}.ticket.${host.facts().id}`, {
      callback: (error, message) => this.#answer(error, message),
    });
    this.#timer = setInterval(() => this.announce(false), SAY_AGAIN);
    void this.#watch();
    this.announce();
  }

  /** @throws {DmaBufError} As {@link connectNats}. */
  static async join(host: DirectoryHost, cluster: string, options: NatsOptions): Promise<NatsDirectory> {
    return new NatsDirectory(await connectNats(options), host, cluster);
  }

  /**
   * Until the server knows what this host listens to (nats-directory.5); one that does not answer is not waited for. Hosts that are found
   * while it waits are met by this directory: so its owner has it already.
   */
  async listens(): Promise<void> {
    await Promise.race([this.nats.flush().catch(() => {}), pause(ASK_LIMIT, undefined, { ref: false })]);
  }

  /** Says that this host is there. @param isNew Whether the others are to say it too. */
  announce(isNew = true): void {
    // A message that is sent while there is no connection is lost: it is said again once there is one.
    if (!this.nats.isClosed() && !this.nats.isDraining())
      this.nats.publish(`${this.#subject}.here`, JSON.stringify({ ...this.#host.facts(), isNew }));
  }

  /**
   * Asks a host for a ticket.
   *
   * @throws {DmaBufError} `ESRCH` if it is not there; `ETIMEDOUT`; what it refuses with.
   */
  async ask(id: string): Promise<ControlTicket> {
    let reply: Msg;
    try {
      reply = await this.nats.request(`${this.#subject}.ticket.${id}`, "", { timeout: ASK_LIMIT });
    } catch (cause) {
      throw new DmaBufError(natsCode(cause), `Cannot reach host ${id}: ${messageOf(cause)}`, { cause });
    }
    const { ticket, host } = parse(reply) as { readonly ticket?: unknown; readonly host?: unknown } & Refusal;
    if (typeof ticket !== "string") throw remoteError(`Host ${id}`, parse(reply));
    return { ticket, host: checkFacts(host) };
  }

  /** What was said last, also by jobs, is sent before. A server that does not answer is not waited for. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    if (!this.nats.isClosed()) await Promise.race([this.nats.drain().catch(() => {}), pause(DRAIN_LIMIT)]);
    await this.nats.close();
  }

  /** nats-directory.1. */
  #hear(error: Error | null, message: Msg): void {
    this.#attempt(error, () => {
      const said = parse(message) as { readonly isNew?: unknown };
      const { id } = checkFacts(said);
      if (id === this.#host.facts().id) return;
      if (said.isNew === true) this.announce(false);
      this.#host.found(id);
    });
  }

  #answer(error: Error | null, message: Msg): void {
    this.#attempt(error, () => {
      message.respond(JSON.stringify({ ticket: this.#host.issueControl(), host: this.#host.ownFacts() }));
    });
  }

  /** nats-directory.4. */
  #attempt(error: Error | null, take: () => void): void {
    try {
      if (error !== null) throw error;
      take();
    } catch (reason) {
      this.#host.warnings.warn(`A message by NATS was not taken: ${textOf(reason)}`);
    }
  }

  async #watch(): Promise<void> {
    for await (const status of this.nats.status()) {
      if (status.type === "reconnect") this.announce();
      else if (status.type === "error") this.#host.warnings.warn(`NATS: ${messageOf(status.error)}`);
    }
  }
}

/** @throws {DmaBufError} `EPROTO` if this is no such message. */
function parse(message: Msg): object {
  let value: unknown;
  try {
    if (message.data.length <= MOST_BYTES) value = JSON.parse(message.string());
  } catch {
    // As below.
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw new DmaBufError("EPROTO", `Cannot understand a message of ${message.data.length} bytes to ${message.subject}`);
}
