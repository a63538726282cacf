/**
 * Another process, for tests: it listens or joins, says how that went, and stays until it is killed.
 *
 * Usage: node listener.js listen|connect PLACE
 */
import process from "node:process";
import { codeOf } from "../../src/errors.js";
import type { BufferHandleData } from "../../src/index.js";
import { ProcessDomain } from "../../src/node/index.js";

export interface ListenerReport {
  /** "joined", or an error's code. */
  readonly outcome: string;
  /** The domain's. */
  readonly id?: string;
}

let joined: ProcessDomain | undefined;
const [, , what, place] = process.argv as [string, string, string, string];
process.send!(await report());
// What it is sent it hands on, to read. The channel to the parent keeps it alive.
process.on("message", (handle: BufferHandleData) => {
  const handedOn = joined!.import(handle).handle("read");
  process.send!(structuredClone(handedOn));
});

async function report(): Promise<ListenerReport> {
  try {
    const domain =
      what === "listen" ? ProcessDomain.listen(place) : await ProcessDomain.connect(place, { timeout: 30_000 });
    joined = domain;
    using buffer = domain.allocate(4096);
    using access = buffer.accessSync("write", { timeout: 1_000 });
    access.bytes.fill(1);
    return { outcome: "joined", id: domain.id };
  } catch (error) {
    return { outcome: codeOf(error) };
  }
}
