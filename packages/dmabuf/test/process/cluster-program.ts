/**
 * A cluster, for tests. Its workers answer requests with what is in a buffer of the primary's; one of them dies with the
 * buffer in its hands, and the one in its place goes on.
 */
import cluster, { type Worker } from "node:cluster";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
import type { BufferHandleData } from "../../src/index.js";
import { ProcessDomain } from "../../src/node/index.js";

if (cluster.isPrimary) await lead();
else await serve();

async function lead(): Promise<void> {
  using domain = ProcessDomain.create({ agents: 8 });
  using buffer = domain.allocate(1 << 20);
  domain.shareWithWorkers();
  let worker = await start();
  for (let visit = 1; visit <= 3; visit++) {
    const handle: BufferHandleData = { ...buffer.handle() };
    worker.send(handle);
    const [{ port }] = (await once(worker, "message")) as [AddressInfo];
    const bytes = Buffer.from(await (await fetch(`http://127.0.0.1:${port}/`)).arrayBuffer());
    console.log("answer", visit, "has", bytes.length, "bytes of", bytes[0], bytes.at(-1));
    worker.process.kill("SIGKILL");
    await once(worker, "exit");
    using access = await buffer.access("read", { timeout: 30_000 });
    console.log("it has left", access.bytes[5]);
    worker = await start();
  }
  worker.process.kill("SIGKILL");
}

/** One that has joined. */
async function start(): Promise<Worker> {
  const worker = cluster.fork();
  await once(worker, "message");
  return worker;
}

/** Counts in the buffer, and answers with it as long as it lives. */
async function serve(): Promise<void> {
  const domain = await ProcessDomain.inherit();
  process.once("message", (handle: BufferHandleData) => {
    const access = domain.import(handle).accessSync("write");
    access.bytes.forEach((byte, i, bytes) => (bytes[i] = byte + 1));
    const server = createServer((_request, response) => void response.end(access.bytes));
    server.listen(0, "127.0.0.1", () => process.send!(server.address()));
  });
  process.send!("joined");
}
