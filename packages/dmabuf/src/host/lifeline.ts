import type { Kind } from "../arguments.js";
import { DmaBufError } from "../errors.js";

/**
 * How two agents notice each other's end: each holds one end of a message channel, which closes when its thread ends,
 * however it ends. A browser may not tell of the close: there the invited agent holds a Web Lock as well.
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
  request(name: string, callback: () => unknown): Promise<unknown>;
}

interface Surroundings {
  /** An AudioWorklet has none: it can be invited, and cannot invite. */
  readonly MessageChannel?: new () => { readonly port1: MessagePortLike; readonly port2: MessagePortLike };
  readonly navigator?: { readonly locks?: LockManager };
  readonly process?: unknown;
}

const { MessageChannel, navigator, process } = globalThis as unknown as Surroundings;

/** Web Locks are for browsers: a Node.js that has them too tells of the close. */
const locks = process === undefined ? navigator?.locks : undefined;

export function createLifeline(): { readonly mine: MessagePortLike; readonly theirs: MessagePortLike } {
  if (MessageChannel === undefined) {
    throw new DmaBufError("EOPNOTSUPP", "Cannot invite a thread: there is no MessageChannel here");
  }
  const { port1, port2 } = new MessageChannel();
  return { mine: port1, theirs: port2 };
}

/** The invited agent's end of a lifeline. */
export interface HeldLifeline {
  /** Resolves when the inviter would notice that this agent ends. */
  readonly ready: Promise<void>;
  /** Lets go of it. */
  end(): void;
}

/** Holds the invited agent's end; `died` is called once when the inviter ends. */
export function holdLifeline(port: MessagePortLike, name: string, died: () => void): HeldLifeline {
  const endWatch = watchPort(port, died);
  if (locks === undefined) return { ready: Promise.resolve(), end: endWatch };
  let release = (): void => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  const ready = new Promise<void>((resolve) => {
    void locks.request(name, () => {
      port.postMessage("held");
      resolve();
      return released;
    });
  });
  return {
    ready,
    end() {
      release();
      endWatch();
    },
  };
}

/** Watches the inviter's end; `died` is called once when the invited agent ends. Returns what ends the watch. */
export function watchLifeline(port: MessagePortLike, name: string, died: () => void): () => void {
  let watching = true;
  const tell = (): void => {
    if (watching) died();
    watching = false;
  };
  const end = watchPort(port, tell);
  // The lock is asked for only when the other side says that it holds it.
  if (locks !== undefined) port.addEventListener("message", () => void locks.request(name, tell));
  return () => {
    watching = false;
    end();
  };
}

function watchPort(port: MessagePortLike, closed: () => void): () => void {
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
