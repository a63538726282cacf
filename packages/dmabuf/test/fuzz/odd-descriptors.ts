import { openSync } from "node:fs";
import {
  addSeals,
  createEventCounter,
  createMemoryFile,
  createPipe,
  createSocketPair,
  reopenDescriptor,
  SEAL,
  setFileLength,
} from "../../src/node/system-calls/index.js";

export const FIXED = SEAL.SHRINK | SEAL.GROW;

/** A memory file. @param seals Added when it has its length. */
export function memoryFile(length: number, seals = 0): number {
  const descriptor = createMemoryFile("dmabuf fuzz");
  setFileLength(descriptor, length);
  if (seals !== 0) addSeals(descriptor, seals);
  return descriptor;
}

/** One of each kind that a peer could send. They stay open. */
export function oddDescriptors(): Record<string, number> {
  const { reader, writer } = createPipe();
  const [here, there] = createSocketPair();
  const [datagram] = createSocketPair("datagram");
  const cut = memoryFile(8192);
  setFileLength(cut, 100);
  const sealed = memoryFile(4096, FIXED);
  return {
    "the reading end of a pipe": reader,
    "the writing end of a pipe": writer,
    "a blocking pipe": createPipe({ blocking: true }).reader,
    "a socket": here,
    "its other end": there,
    "a datagram socket": datagram,
    "memory whose length is not sealed": memoryFile(4096),
    "memory that was cut": cut,
    "memory of no length": memoryFile(0, FIXED),
    "a part of a page": memoryFile(100, FIXED),
    "sealed memory": sealed,
    "more sealed memory": memoryFile(16_384, FIXED),
    "memory to read": reopenDescriptor(sealed, "read"),
    "memory longer than any view": memoryFile(2 ** 33, FIXED),
    "a counter": createEventCounter(),
    "no device": openSync("/dev/null", "r+"),
    "a folder": openSync("/", "r"),
  };
}
