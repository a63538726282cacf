import type { Kind } from "../arguments.js";
import { DmaBufError } from "../errors.js";

/**
 * How agents notice each other's end. Inviter and invited have the ends of a message channel, which closes when a thread
 * ends, however it ends. Browsers do not tell of the close: there each agent holds a Web Lock of its own for as long as it
 * lives, and those that watch it ask for that lock.
 *
 * lifeline.1. An agent says that it is watched when it holds its lock (invitation-slot.5), and others ask for the lock only
 *     then: before, they would get it while the agent lives.
 * lifeline.2. Those that watch ask for a lock that they can share: one whose event loop does not turn keeps it from none.
 * lifeline.3. The agent that notices an end watches all that live from then on: so inviter and invited may both end, and
 *     the others notice both.
 */

/**
 * The surroundings' own `MessagePort` where their types are known, so that a transfer list takes it; else its part that
 * is used. A program that knows the types of browsers and those of Node.js has two kinds of ports by type, and the global
 * one is the browser's: there it has members that make it fit the transfer lists of both, and are not to be called.
 */
export type MessagePortLike = typeof globalThis extends { readonly MessagePort: { readonly prototype: infer Port } }
  ? Port extends { ref(): void }
    ? Port
    : typeof globalThis extends { readonly process: unknown }
      ? Port &
          Readonly<Record<"onclose" | "onmessage" | "onmessageerror", null>> &
          Readonly<
            Record<
              | (
                  | "postMessage"
                  | "ref"
                  | "unref"
                  | "hasRef"
                  | "emit"
                  | "on"
                  | "once"
                  | "off"
                  | "listeners"
                  | "eventNames"
                )
              | ("addEventListener" | "removeEventListener" | "addListener" | "prependListener" | "listenerCount")
              | ("prependOnceListener" | "removeListener" | "removeAllListeners" | "setMaxListeners")
              | ("getMaxListeners" | "rawListeners"),
              (...values: never[]) => never
            >
          >
      : Port
  : {
      postMessage(message: unknown): void;
      close(): void;
      start(): void;
      addEventListener(type: "close" | "message", listener: (event: { readonly data?: unknown }) => void): void;
      /** Node.js: the port does not keep the process alive. */
      unref?(): void;
    };

/** Where it is missing, it was not in the message's transfer list. */
export const MESSAGE_PORT: Kind = {
  wanted: "a MessagePort, from the transfer list of the message",
  isKind: (value) => typeof (value as Partial<MessagePortLike> | null | undefined)?.postMessage === "function",
};

interface LockManager {
  request(name: string, options: { readonly mode: "exclusive" | "shared" }, callback: () => unknown): Promise<unknown>;
}

interface Surroundings {
  /** An AudioWorklet has none: it can be invited, and cannot invite. */
  readonly MessageChannel?: new () => { readonly port1: MessagePortLike; readonly port2: MessagePortLike };
  readonly navigator?: { readonly locks?: LockManager };
  readonly process?: unknown;
}

const { MessageChannel, navigator, process } = globalThis as unknown as Surroundings;

/** Web Locks are for browsers: a Node.js that has them too tells of the close. An AudioWorklet has neither. */
const locks = process === undefined ? navigator?.locks : undefined;

/** Whether ends are noticed by locks here. */
export const usesLocks = locks !== undefined;

/** Whether others notice the end of an agent here. */
export const isNoticed = usesLocks || process !== undefined;

export function createLifeline(): { readonly mine: MessagePortLike; readonly theirs: MessagePortLike } {
  if (MessageChannel === undefined) {
    throw new DmaBufError("EOPNOTSUPP", "Cannot invite a thread: there is no MessageChannel here");
  }
  const { port1, port2 } = new MessageChannel();
  return { mine: port1, theirs: port2 };
}

/** What shows others that an agent lives. */
export interface HeldLock {
  /** Resolves when others would notice that this agent ends. */
  readonly ready: Promise<void>;
  end(): void;
}

/** Holds an agent's own lock, where ends are noticed by locks. @param held Called when it is held. */
export function holdLock(name: string, held: () => void): HeldLock {
  let end = (): void => {};
  const ended = new Promise<void>((resolve) => (end = resolve));
  const ready = new Promise<void>((resolve) => {
    if (locks === undefined) resolve();
    else {
      void locks.request(name, { mode: "exclusive" }, () => {
        held();
        resolve();
        return ended;
      });
    }
  });
  return { ready, end };
}

/** Calls back when another agent's lock is not held any more (lifeline.2). */
export function awaitLock(name: string, ended: () => void): void {
  void locks?.request(name, { mode: "shared" }, ended);
}

/** Calls back once when the thread at the port's other end ends, where a port tells of it. Returns what closes the port. */
export function watchPort(port: MessagePortLike, closed: () => void): () => void {
  let open = true;
  port.addEventListener("close", () => {
    if (open) closed();
    open = false;
  });
  port.start();
  port.unref?.();
  return () => {
    open = false;
    port.close();
  };
}
