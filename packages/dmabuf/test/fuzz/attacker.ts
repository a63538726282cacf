import { AGENT } from "../../src/domain/layout.js";
import { slotOf, type Identity } from "../../src/domain/agent-slot.js";
import { requestDomain } from "../../src/node/joining/join-protocol.js";
import { ControlSegment } from "../../src/node/joining/control-segment.js";
import type { DomainFiles } from "../../src/node/joining/domain-files.js";
import { ResourceLedger } from "../../src/node/resources/resource-ledger.js";
import {
  acceptConnection,
  bindSocket,
  closeDescriptor,
  createSocket,
  listenOnSocket,
  sendMessage,
  writeDescriptor,
} from "../../src/node/system-calls/index.js";
import { connectBare } from "../strangers.js";

/** Sends whatever it likes, and copes with a peer that has had enough. */
export function say(connection: number, bytes: Uint8Array, descriptors: readonly number[] = []): void {
  try {
    if (bytes.length > 0) sendMessage(connection, bytes, descriptors);
  } catch {
    // The other side has hung up, or the message is longer than any socket takes.
  }
}

/** A place where a hostile process listens. */
export class HostileListener {
  readonly place: string;
  readonly #listener = createSocket();

  constructor(name: string) {
    this.place = `@${name}`;
    bindSocket(this.#listener, { abstract: name });
    listenOnSocket(this.#listener);
  }

  /** The next connection that was asked for, if there is one. It is the caller's. */
  accept(): number | undefined {
    return acceptConnection(this.#listener);
  }

  close(): void {
    closeDescriptor(this.#listener);
  }
}

/** An attacker that has the descriptors of a domain, and writes any message. */
export class HostileMember {
  readonly files: DomainFiles;
  readonly #connection: number;
  readonly #segment: ControlSegment;

  private constructor(connection: number, files: DomainFiles) {
    this.#connection = connection;
    this.files = files;
    this.#segment = ControlSegment.open(files, new ResourceLedger());
  }

  static async enter(place: string): Promise<HostileMember> {
    const connection = connectBare(place);
    return new HostileMember(connection, await requestDomain(connection, place, { end: performance.now() + 30_000 }));
  }

  post(to: Identity, bytes: Uint8Array, descriptors: readonly number[] = []): void {
    const slot = slotOf(to);
    say(this.files.mailboxes[slot]!, bytes, descriptors);
    const { memory, layout } = this.#segment;
    memory.add(layout.agent(slot) + AGENT.MESSAGES, 1);
    writeDescriptor(this.files.bells[slot]!, new Uint8Array([1]));
  }

  close(): void {
    closeDescriptor(this.#connection);
  }
}
