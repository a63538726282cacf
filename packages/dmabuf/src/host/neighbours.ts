import type { MessagePortLike } from "./lifeline.js";

/**
 * The agents at the other ends of a thread's lifelines, as ones to send messages to: the one that invited it, and those
 * it has invited. Together the agents of a domain form a tree, unless some have left it in the middle.
 */
export class Neighbours {
  readonly #ports = new Map<number, MessagePortLike>();
  #received: (message: NeighbourMessage, from: number) => void = () => {};
  #lost: (identity: number) => void = () => {};

  /**
   * @param received Called with each message that arrives.
   * @param lost Called when a neighbour has ended.
   */
  listen(received: (message: NeighbourMessage, from: number) => void, lost: (identity: number) => void): void {
    this.#received = received;
    this.#lost = lost;
  }

  /** A neighbour, by its identity in the domain. The port is open. */
  add(identity: number, port: MessagePortLike): void {
    this.#ports.set(identity, port);
    port.addEventListener("message", ({ data }) => this.#take(data, identity));
    port.unref?.();
  }

  remove(identity: number): void {
    if (this.#ports.delete(identity)) this.#lost(identity);
  }

  get identities(): number[] {
    return [...this.#ports.keys()];
  }

  send(identity: number, message: NeighbourMessage): void {
    this.#ports.get(identity)?.postMessage(message);
  }

  /** Whether {@link receiveNow} can do anything here. */
  get receivesNow(): boolean {
    return receiveMessageOnPort !== undefined;
  }

  /** Takes in what has arrived, without a return to the event loop. */
  receiveNow(): void {
    if (receiveMessageOnPort === undefined) return;
    for (const [identity, port] of [...this.#ports]) {
      for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
        this.#take(next.message, identity);
      }
    }
  }

  #take(data: unknown, from: number): void {
    if (isMessage(data)) this.#received(data, from);
  }
}

/** What neighbours send each other: data that `postMessage` clones. */
export interface NeighbourMessage {
  readonly kind: string;
}

type ReceiveMessageOnPort = (port: MessagePortLike) => { readonly message: unknown } | undefined;

interface Surroundings {
  readonly process?: { getBuiltinModule?(name: string): { receiveMessageOnPort?: ReceiveMessageOnPort } | undefined };
}

/** Node.js has it, and may be asked for it without an import. */
const receiveMessageOnPort = (globalThis as unknown as Surroundings).process?.getBuiltinModule?.(
  "node:worker_threads",
)?.receiveMessageOnPort;

/** Other messages on a lifeline are the lifeline's own. */
function isMessage(data: unknown): data is NeighbourMessage {
  return typeof (data as { kind?: unknown } | null | undefined)?.kind === "string";
}
