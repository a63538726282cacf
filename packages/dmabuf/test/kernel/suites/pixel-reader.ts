/**
 * Another program: it gets dma-bufs through the socket that it inherited as descriptor 4, and tells the hash of the bytes of
 * each, after it has counted the first one up for the sender to see.
 */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { dmaBufFrom } from "../../../src/linux/index.js";
import { receiveMessage } from "../../../src/node/system-calls/index.js";

const SOCKET = 4;

for (;;) {
  const message = receiveMessage(SOCKET, new Uint8Array(16), 1);
  if (message === undefined) {
    await sleep(2);
    continue;
  }
  const [fd] = message.descriptors;
  if (fd === undefined) break;
  using buffer = dmaBufFrom(fd);
  const hash = await buffer.access("read", (bytes) => createHash("sha256").update(bytes).digest("hex"));
  await buffer.access("write", (bytes) => void bytes[0]!++);
  process.send?.({ hash, name: buffer.statistics().name });
}
process.disconnect();
