import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { closeDescriptor, createEventCounter, createPipe, isClosedOnExec, writeDescriptor } from "./descriptors.js";
import { readDescriptor } from "./descriptors.js";
import { withUmask } from "./processes.js";
import {
  acceptConnection,
  bindSocket,
  connectSocket,
  createSocket,
  createSocketPair,
  listenOnSocket,
  MOST_DESCRIPTORS,
  receiveMessage,
  sendMessage,
} from "./sockets.js";
import { peerCredentials } from "./socket-peers.js";

const room = new Uint8Array(256);

test("descriptors arrive with the bytes, in their order, closed on exec, and refer to the same files", () => {
  const [here, there] = createSocketPair();
  const { reader, writer } = createPipe();
  assert.equal(sendMessage(here, Buffer.from("two"), [reader, writer]), 3);
  closeDescriptor(reader);
  closeDescriptor(writer);
  const received = receiveMessage(there, room)!;
  assert.equal(Buffer.from(room.subarray(0, received.length)).toString(), "two");
  const [newReader, newWriter] = received.descriptors as [number, number];
  assert.ok(isClosedOnExec(newReader) && isClosedOnExec(newWriter));
  writeDescriptor(newWriter, Buffer.from("x"));
  assert.equal(readDescriptor(newReader, new Uint8Array(4)), 1);
  for (const fd of [newReader, newWriter, here, there]) closeDescriptor(fd);
});

test("a message needs no descriptors, and an odd number of them needs no room of its own", () => {
  const [here, there] = createSocketPair();
  sendMessage(here, Buffer.from("a"));
  assert.deepEqual(receiveMessage(there, room), { length: 1, descriptors: [], truncated: false });
  sendMessage(here, Buffer.from("b"), [here, here, here]);
  const { descriptors } = receiveMessage(there, room, 3)!;
  assert.equal(descriptors.length, 3);
  for (const fd of [...descriptors, here, there]) closeDescriptor(fd);
});

test("a message takes 253 descriptors and no more", () => {
  const [here, there] = createSocketPair();
  sendMessage(here, Buffer.from("m"), new Array<number>(MOST_DESCRIPTORS).fill(here));
  const { descriptors } = receiveMessage(there, room)!;
  assert.equal(descriptors.length, MOST_DESCRIPTORS);
  assert.throws(() => sendMessage(here, Buffer.from("m"), new Array<number>(254).fill(here)), RangeError);
  assert.throws(() => sendMessage(here, new Uint8Array(0)), RangeError);
  for (const fd of [...descriptors, here, there]) closeDescriptor(fd);
});

test("more descriptors than there is room for are an error, and none of them stays open", () => {
  const [here, there] = createSocketPair();
  const open = (): number => readdirSync("/proc/self/fd").length;
  const before = open();
  sendMessage(here, Buffer.from("m"), [here, here, here, here, here]);
  assert.throws(() => receiveMessage(there, room, 2), { code: "EMSGSIZE", errno: 90, syscall: "recvmsg" });
  sendMessage(here, Buffer.from("m"), [here]);
  assert.throws(() => receiveMessage(there, room, 0), { code: "EMSGSIZE" });
  assert.equal(open(), before);
  for (const fd of [here, there]) closeDescriptor(fd);
});

test("receiving is undefined while there is nothing, and 0 bytes at the end", () => {
  const [here, there] = createSocketPair();
  assert.equal(receiveMessage(there, room), undefined);
  closeDescriptor(here);
  assert.deepEqual(receiveMessage(there, room), { length: 0, descriptors: [], truncated: false });
  assert.throws(() => sendMessage(there, Buffer.from("x")), { code: "EPIPE", syscall: "sendmsg" });
  closeDescriptor(there);
});

test("a full socket takes nothing, also no descriptor", { timeout: 10_000 }, () => {
  const [here, there] = createSocketPair();
  while (sendMessage(here, new Uint8Array(4096)) !== undefined);
  assert.equal(sendMessage(here, Buffer.from("x"), [here]), undefined);
  for (const fd of [here, there]) closeDescriptor(fd);
});

test("a sequenced socket keeps the bounds of messages and says when one was cut", () => {
  const [here, there] = createSocketPair("sequenced");
  sendMessage(here, Buffer.from("one"));
  sendMessage(here, Buffer.from("second"));
  assert.equal(receiveMessage(there, room)!.length, 3);
  assert.deepEqual(receiveMessage(there, new Uint8Array(2)), { length: 2, descriptors: [], truncated: true });
  for (const fd of [here, there]) closeDescriptor(fd);
});

test("a listener under a path has mode 0600 under umask 0177, and knows who connects", () => {
  const folder = mkdtempSync(join(tmpdir(), "dmabuf-"));
  const address = { path: join(folder, "socket") };
  const listener = createSocket();
  withUmask(0o177, () => bindSocket(listener, address));
  assert.equal(statSync(address.path).mode & 0o777, 0o600);
  const client = createSocket();
  assert.throws(() => connectSocket(client, address), { code: "ECONNREFUSED", errno: 111, syscall: "connect" });
  listenOnSocket(listener);
  assert.equal(acceptConnection(listener), undefined);
  connectSocket(client, address);
  const connection = acceptConnection(listener)!;
  assert.ok(isClosedOnExec(connection));
  const here = { pid: process.pid, uid: process.getuid!(), gid: process.getgid!() };
  assert.deepEqual(peerCredentials(connection), here);
  assert.deepEqual(peerCredentials(client), here);
  sendMessage(client, Buffer.from("hello"));
  assert.equal(receiveMessage(connection, room)!.length, 5);
  const second = createSocket();
  assert.throws(() => bindSocket(second, address), { code: "EADDRINUSE", errno: 98, syscall: "bind" });
  for (const fd of [listener, client, connection, second]) closeDescriptor(fd);
  rmSync(folder, { recursive: true });
});

test("an abstract name is free again when its socket is closed", () => {
  const address = { abstract: `dmabuf-test-${process.pid}` };
  for (let i = 0; i < 2; i++) {
    const listener = createSocket();
    bindSocket(listener, address);
    listenOnSocket(listener);
    const client = createSocket();
    connectSocket(client, address);
    for (const fd of [listener, client]) closeDescriptor(fd);
  }
  const client = createSocket();
  assert.throws(() => connectSocket(client, address), { code: "ECONNREFUSED" });
  closeDescriptor(client);
});

test("an address that does not fit is a RangeError; a path that is not there is ENOENT", () => {
  const fd = createSocket();
  for (const path of ["", "a\0b", "x".repeat(108)]) assert.throws(() => connectSocket(fd, { path }), RangeError);
  assert.throws(() => connectSocket(fd, { path: "x".repeat(107) }), { code: "ENOENT" });
  assert.throws(() => connectSocket(fd, { abstract: "y".repeat(108) }), RangeError);
  closeDescriptor(fd);
});

test("calls on what is no socket fail with ENOTSOCK", () => {
  const fd = createEventCounter();
  assert.throws(() => sendMessage(fd, room), { code: "ENOTSOCK", errno: 88, syscall: "sendmsg" });
  assert.throws(() => receiveMessage(fd, room), { code: "ENOTSOCK", syscall: "recvmsg" });
  assert.throws(() => peerCredentials(fd), { code: "ENOTSOCK", syscall: "getsockopt" });
  assert.throws(() => listenOnSocket(fd), { code: "ENOTSOCK", syscall: "listen" });
  assert.throws(() => acceptConnection(fd), { code: "ENOTSOCK", syscall: "accept4" });
  closeDescriptor(fd);
});
