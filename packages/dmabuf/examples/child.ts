// A child process that joins the domain of its parent: node dist/examples/child.js
import { once } from "node:events";
import process from "node:process";
import type { BufferHandleData } from "dmabuf";
import { ProcessDomain } from "dmabuf/node";

if (process.send === undefined) {
  using domain = ProcessDomain.create();
  using buffer = domain.allocate(1 << 20, { name: "image" });
  const child = domain.fork(new URL(import.meta.url)); // as fork() of node:child_process
  child.send(buffer.handle());
  await once(child, "exit"); // killed or not: what it held comes back
  using access = await buffer.access("read");
  console.log("the child wrote", access.bytes[0]);
} else {
  using domain = await ProcessDomain.inherit(); // no name, no number
  const [handle]: BufferHandleData[] = await once(process, "message");
  if (handle !== undefined) {
    using buffer = domain.import(handle);
    using access = await buffer.access("write");
    access.bytes.fill(7);
  }
  process.disconnect();
}
