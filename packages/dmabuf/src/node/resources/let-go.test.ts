import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { Socket } from "node:net";
import { test } from "node:test";
import { until } from "../../../test/agents.js";
import { closeAll, lingeringSocket } from "../../../test/strangers.js";
import { endConnection, letGo, letGoConnection } from "./let-go.js";
import {
  createEventCounter,
  createMemoryFile,
  createPipe,
  createSocketPair,
  duplicateDescriptor,
  isClosedOnExec,
  mayHoldDescriptors,
  receiveMessage,
  sendMessage,
} from "../system-calls/index.js";

/** Seconds: a close that waits for it is seen by the limit of the whole file. */
const LINGER = 3_600;

test("let-go.2: memory files, pipes, and connections without descriptors in them are closed at once", () => {
  const { reader, writer } = createPipe();
  const [empty, other] = createSocketPair();
  const [talked, talker] = createSocketPair();
  sendMessage(talker, Buffer.from("some words"));
  const harmless = [createMemoryFile("let go"), reader, writer];
  letGo(...harmless);
  letGoConnection(empty);
  letGoConnection(talked);
  for (const descriptor of [...harmless, empty, talked])
    assert.throws(() => isClosedOnExec(descriptor), { code: "EBADF" });
  closeAll([other, talker]);
});

test("let-go.1: what lingers, and a socket in which it lies, block no process", { timeout: 60_000 }, async () => {
  const before = openDescriptors();
  const first = lingeringSocket(LINGER);
  const second = lingeringSocket(LINGER);
  const third = lingeringSocket(LINGER);
  const [queue, sender] = createSocketPair();
  const [connection, peer] = createSocketPair();
  sendMessage(sender, Buffer.from("words before"));
  sendMessage(sender, Buffer.from("x"), [second.descriptor]);
  sendMessage(peer, Buffer.from("x"), [third.descriptor]);
  closeAll([second.descriptor, third.descriptor]);
  assert.ok(mayHoldDescriptors(queue));
  letGo(first.descriptor);
  letGoConnection(queue);
  const socket = new Socket({ fd: connection, readable: false });
  endConnection(socket);
  endConnection(socket);
  const keep = [first, second, third].flatMap((linger) => linger.keep);
  await until(() => openDescriptors() === before + keep.length + 2);
  closeAll([...keep, sender, peer]);
});

test("let-go.2: a socket that was sent goes on for its sender", async () => {
  const [sent, other] = createSocketPair();
  const copy = duplicateDescriptor(sent);
  letGo(copy);
  await until(() => isClosed(copy));
  sendMessage(other, Buffer.from("still"));
  assert.equal(receiveMessage(sent, Buffer.alloc(10))?.length, 5);
  closeAll([sent, other]);
});

test("let-go.3: many things go with a few children, and none stays open", { timeout: 60_000 }, async () => {
  // Those of the tests before have pipes that are closed with them.
  await until(() => countChildren() === 0);
  const before = openDescriptors();
  for (let i = 0; i < 200; i++) letGo(createEventCounter());
  const children = countChildren();
  assert.ok(children <= 4, `${children} children`);
  await until(() => openDescriptors() <= before);
});

function countChildren(): number {
  return readFileSync(`/proc/self/task/${process.pid}/children`, "utf8").split(" ").filter(Boolean).length;
}

function isClosed(descriptor: number): boolean {
  try {
    isClosedOnExec(descriptor);
    return false;
  } catch {
    return true;
  }
}

function openDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}
