import { DmaBufError, type ErrorCode } from "../errors.js";
import { LAYOUT_VERSION } from "../domain/layout.js";
import { setTimeout as pause } from "node:timers/promises";
import { descriptorsOf, filesOf, type DomainFiles } from "./domain-files.js";
import { closeDescriptor, MOST_DESCRIPTORS, receiveMessage, sendMessage } from "./system-calls.js";

/**
 * How a process gets the descriptors of a domain from a member, through a connected stream socket: one line of JSON
 * asks, and lines of JSON answer, with the descriptors beside them. The socket stays open: its end tells both sides that
 * the other one is gone.
 *
 * AD1. Whoever asks says the version of the layout that it knows; another version is refused in words.
 * AD2. Nothing that the other side sends is believed: a line is at most 4,096 bytes long, its fields are checked, and
 *      descriptors that nobody asked for are closed.
 */

/** Bytes. */
export const LONGEST_LINE = 4096;

/** Milliseconds between two looks at the socket: joining is rare, and takes a few of them. */
const LOOK_AGAIN = 1;

/** What the asking side says. */
export interface Application {
  readonly layout: number;
}

export function application(): Uint8Array {
  return line({ layout: LAYOUT_VERSION } satisfies Application);
}

/** @throws {DmaBufError} `EPROTO` if this is no application, or one of another version. */
export function checkApplication(text: string): void {
  const { layout } = parseLine(text) as Partial<Application>;
  if (layout === LAYOUT_VERSION) return;
  throw new DmaBufError(
    "EPROTO",
    `Cannot join the domain: its layout version is ${LAYOUT_VERSION}, not ${String(layout)}`,
  );
}

/** Sends all descriptors. Joining ends here: from now on only the end of the connection says something. */
export function admit(connection: number, files: DomainFiles): void {
  const descriptors = descriptorsOf(files);
  for (let first = 0; first < descriptors.length; first += MOST_DESCRIPTORS) {
    const some = descriptors.slice(first, first + MOST_DESCRIPTORS);
    sendLine(connection, { left: descriptors.length - first - some.length }, some);
  }
}

/** Says why not. */
export function refuse(connection: number, error: DmaBufError): void {
  sendLine(connection, { code: error.code, message: error.message });
}

/** Asks for a domain's descriptors, and waits for them. */
export async function apply(
  connection: number,
  where: string,
  options: { readonly timeout: number; readonly signal?: AbortSignal | undefined },
): Promise<DomainFiles> {
  const { timeout, signal } = options;
  const end = performance.now() + timeout;
  const received: number[] = [];
  const bytes = Buffer.alloc(LONGEST_LINE);
  let text = "";
  try {
    if (sendMessage(connection, application()) === undefined) throw new DmaBufError("EAGAIN", `Cannot ask ${where}`);
    for (;;) {
      signal?.throwIfAborted();
      const message = receiveMessage(connection, bytes);
      if (message === undefined) {
        if (performance.now() > end) {
          throw new DmaBufError("ETIMEDOUT", `Cannot join the domain at ${where}: no answer in ${timeout} ms`);
        }
        await pause(LOOK_AGAIN);
        continue;
      }
      if (message.length === 0) throw new DmaBufError("ECONNRESET", `Cannot join the domain at ${where}: it hung up`);
      received.push(...message.descriptors);
      text += bytes.toString("utf8", 0, message.length);
      if (text.length > LONGEST_LINE)
        throw new DmaBufError("EPROTO", `Cannot join the domain at ${where}: its answer is too long`);
      for (let feed = text.indexOf("\n"); feed >= 0; feed = text.indexOf("\n")) {
        const answer = parseLine(text.slice(0, feed)) as Answer;
        text = text.slice(feed + 1);
        if (answer.code !== undefined) throw refused(answer);
        if (answer.left === 0) return filesOf(received);
      }
    }
  } catch (error) {
    received.forEach(closeDescriptor);
    throw error;
  }
}

interface Answer {
  /** How many descriptors are still to come. */
  readonly left?: unknown;
  readonly code?: unknown;
  readonly message?: unknown;
}

function refused({ code, message }: Answer): DmaBufError {
  return DmaBufError.from({ code: code as ErrorCode, message: String(message) });
}

function sendLine(connection: number, fields: object, descriptors: readonly number[] = []): void {
  if (sendMessage(connection, line(fields), descriptors) !== undefined) return;
  throw new DmaBufError("EAGAIN", "Cannot answer a process that joins: its socket takes nothing");
}

function line(fields: object): Uint8Array {
  return Buffer.from(`${JSON.stringify(fields)}\n`);
}

function parseLine(text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return value;
  } catch {
    // As below.
  }
  throw new DmaBufError("EPROTO", `Cannot understand ${JSON.stringify(text.slice(0, 80))}`);
}
