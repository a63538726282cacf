import { randomBytes } from "node:crypto";

/**
 * What a connection shows to be let in.
 *
 * tickets.1. A ticket is 32 random bytes, and good once.
 * tickets.2. It is void when its time has passed, and when what it was issued for is gone.
 * tickets.3. One that was used, is void, or was never issued is the same to the one that shows it: unknown.
 */
export class Tickets<T> {
  readonly #open = new Map<string, Issued<T>>();

  /**
   * @param what What the ticket gives.
   * @param owner What it is issued for.
   * @param limit Milliseconds.
   */
  issue(what: T, owner: object, limit: number): string {
    const ticket = randomBytes(32).toString("base64url");
    const timer = setTimeout(() => this.#open.delete(ticket), limit).unref();
    this.#open.set(ticket, { what, owner, timer });
    return ticket;
  }

  /** What the ticket gives, once. */
  redeem(ticket: string): T | undefined {
    const issued = this.#open.get(ticket);
    if (issued === undefined) return undefined;
    this.#open.delete(ticket);
    clearTimeout(issued.timer);
    return issued.what;
  }

  /** Voids all tickets of an owner that is gone. Without one: all. */
  void(owner?: object): void {
    for (const [ticket, issued] of this.#open) {
      if (owner !== undefined && issued.owner !== owner) continue;
      clearTimeout(issued.timer);
      this.#open.delete(ticket);
    }
  }
}

interface Issued<T> {
  readonly what: T;
  readonly owner: object;
  readonly timer: NodeJS.Timeout;
}
