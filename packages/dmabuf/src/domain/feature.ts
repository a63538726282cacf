import { check, orElse, type Kind } from "../arguments.js";
import { DmaBufError } from "../errors.js";
import { sentInstead } from "../posted.js";
import type { Agent } from "./agent.js";
import type { RecoveryStep } from "./recovery.js";
import { featureBits, type SharedFeature } from "./shared-features.js";

/**
 * What a domain is put together from. A feature brings what is given back after a death, the kinds of handles that it
 * opens, and its members of the domain.
 */
export interface Feature<Members extends object = object> {
  /** For messages. */
  readonly name: string;
  /** What every member of the domain must know, for it has tables of it. */
  readonly shares: readonly SharedFeature[];
  /** What it keeps in the control segment and gives back after a death. */
  readonly steps: readonly RecoveryStep[];
  /** Begins in one agent; returns what the domain's object gets. */
  readonly install: (core: Core) => Members;
}

/** Names what one feature offers to those that are installed after it. */
export interface Part<T> {
  readonly name: string;
  /** The type alone: it is never there. */
  readonly type?: T;
}

const KINDS: readonly unknown[] = [
  "buffer",
  "fence",
  "sync-file",
  "syncobj",
  "software-timeline",
  "stream",
  "user-fence",
];

const HANDLE: Kind = {
  ...orElse("EINVAL", {
    wanted: "what a method handle() gives",
    isKind: (value) => KINDS.includes((value as { readonly kind?: unknown } | null | undefined)?.kind),
  }),
  nameOf: sentInstead,
};

/** What the features of one agent have in common. */
export class Core {
  readonly agent: Agent;
  /** Milliseconds for which a handle that no agent imports holds what it is of. */
  readonly handleLimit: number;
  readonly #parts = new Map<Part<unknown>, unknown>();
  readonly #openers = new Map<string, (handle: never) => object>();
  readonly #closers: (() => void)[] = [];
  readonly #endings: (() => void)[] = [];

  constructor(agent: Agent, { handleLimit = 10_000 }: { readonly handleLimit?: number }) {
    this.agent = agent;
    this.handleLimit = handleLimit;
  }

  provide<T>(part: Part<T>, value: T): T {
    this.#parts.set(part, value);
    return value;
  }

  get<T>(part: Part<T>): T {
    return this.#parts.get(part) as T;
  }

  /** Says how a kind of handle is opened. */
  opens<Handle>(kind: string, open: (handle: Handle) => object): void {
    this.#openers.set(kind, open);
  }

  /**
   * What a handle is to, in this agent.
   *
   * @throws {DmaBufError} `EINVAL` if it is no handle, damaged, or of another domain; what the opening throws.
   */
  import(handle: { readonly kind: string }): object {
    this.checkJoined();
    check("Domain.import()", "handle", handle, HANDLE);
    const open = this.#openers.get(handle.kind);
    if (open !== undefined) return open(handle as never);
    throw new DmaBufError(
      "EOPNOTSUPP",
      `Cannot import the ${handle.kind}: the domain has no feature "${handle.kind}s" here`,
    );
  }

  /** Calls `close` when the agent is about to leave: what was installed last is closed first. */
  onClose(close: () => void): void {
    this.#closers.unshift(close);
  }

  /** Calls `end` when the agent has given back all that it held. */
  onLeft(end: () => void): void {
    this.#endings.push(end);
  }

  close(): void {
    for (const close of this.#closers) close();
  }

  left(): void {
    for (const end of this.#endings) end();
  }

  /** @throws {DmaBufError} `EBADF` if this thread has left the domain. */
  checkJoined(): void {
    this.agent.checkJoined();
  }
}

/** Members that throw `EBADF` once this thread has left the domain. */
export function whileJoined<Members extends object>(core: Core, members: Members): Members {
  const checked = Object.entries(members).map(([name, call]: [string, (...given: never[]) => unknown]) => [
    name,
    (...given: never[]) => {
      core.checkJoined();
      return call(...given);
    },
  ]);
  return Object.fromEntries(checked) as Members;
}

/** The bits of what every member must know. */
export function sharedBits(features: readonly Feature[]): number {
  return featureBits(features.flatMap(({ shares }) => shares));
}

/** The steps of recovery of some features, in their order. */
export function recoveryOf(features: readonly Feature[]): readonly RecoveryStep[] {
  return features.flatMap(({ steps }) => steps);
}
