/**
 * Another process, for tests, that means harm. What it sends has a close that blocks until this process ends: it ends
 * when it is told to, with status 0; if it is not told in time, with status 1.
 *
 * Usage: node stranger.js send PLACE [FILE] | listen PLACE WORDS | squat PLACE | knock PLACE TIMES
 */
import { writeFileSync } from "node:fs";
import process from "node:process";
import {
  acceptConnection,
  bindSocket,
  closeDescriptor,
  connectSocket,
  createSocket,
  listenOnSocket,
  receiveMessage,
  sendMessage,
  type SocketAddress,
} from "../../src/node/system-calls/index.js";
import { codeOf } from "../../src/errors.js";
import { pause } from "../agents.js";
import { lingeringSocket } from "../strangers.js";

/** What happened: "sent", an error's code, or what it was told by its victim. */
export interface StrangerReport {
  readonly outcome: string;
}

/** Seconds: far longer than any victim needs for anything, and longer than this process waits for its end. */
const LINGER = 120;
const LONGEST_MS = 20_000;
const BYTES = Buffer.alloc(65_536);

const [, , role, place, argument = ""] = process.argv as unknown as [string, string, string, string, string?];
const address: SocketAddress = place.startsWith("@") ? { abstract: place.slice(1) } : { path: place };
process.on("message", () => process.exit(0));
setTimeout(() => process.exit(1), LONGEST_MS);

if (role === "send") {
  const linger = lingeringSocket(LINGER).descriptor;
  for (;;) {
    const connection = createSocket();
    connectSocket(connection, address);
    const outcome = harm(connection, "{", linger);
    // It was refused and disconnected before it could send anything.
    if (outcome === "EPIPE" || outcome === "ECONNRESET") continue;
    if (argument !== "") writeFileSync(argument, outcome);
    report(outcome);
    break;
  }
} else if (role === "knock") {
  for (let left = Number(argument); left > 0; left--) {
    const connection = createSocket();
    try {
      connectSocket(connection, address);
    } catch {
      // Too many wait there.
      left += 1;
    }
    closeDescriptor(connection);
    await pause(1);
  }
  report("knocked");
} else {
  const listener = createSocket();
  bindSocket(listener, address);
  listenOnSocket(listener);
  report("listens");
  let connection: number | undefined;
  while ((connection = acceptConnection(listener)) === undefined) await pause(1);
  // It sends at once; who trusts it may speak first.
  if (role === "listen") report(harm(connection, argument));
  let heard: ReturnType<typeof receiveMessage>;
  while ((heard = receiveMessage(connection, BYTES)) === undefined) await pause(1);
  report(`heard ${BYTES.toString("utf8", 0, heard.length)}`);
}

function harm(connection: number, words: string, descriptor = lingeringSocket(LINGER).descriptor): string {
  try {
    sendMessage(connection, Buffer.from(words), [descriptor]);
  } catch (error) {
    // What was not taken is not closed here: it would block this process.
    return codeOf(error);
  }
  closeDescriptor(descriptor);
  return "sent";
}

function report(outcome: string): void {
  process.send!({ outcome } satisfies StrangerReport);
}
