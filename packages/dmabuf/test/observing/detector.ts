/**
 * A process that holds a write access of one buffer, and waits for another one.
 *
 * Usage: node detector.js PLACE NAME, with an IPC channel, by which it gets what to do.
 */
import process from "node:process";
import type { BufferHandleData } from "../../src/index.js";
import { ProcessDomain } from "../../src/node/index.js";

/** What a detector does. */
export interface Detection {
  readonly held: BufferHandleData;
  readonly awaited?: BufferHandleData;
  /** Whether it blocks its thread to wait. */
  readonly blocks?: boolean;
}

const [place = "", name = ""] = process.argv.slice(2);
const domain = await ProcessDomain.connect(place, { name });

process.on("message", ({ held, awaited, blocks }: Detection) => {
  const access = domain.import(held).tryAccess("write")!;
  process.send!("holds", () => {
    if (awaited === undefined) return;
    const buffer = domain.import(awaited);
    if (blocks === true) buffer.accessSync("read").close();
    else void buffer.access("read");
  });
  // It holds it to the end of the process.
  process.on("exit", () => access.close());
});
process.send!("joined");
