/**
 * Another process of a domain, for tests: it joins, says "joined", and then does what each message names.
 *
 * Usage: node domain-peer.js PLACE|DESCRIPTOR
 */
import process from "node:process";
import type { CpuAccess, DmaBuf, BufferHandleData } from "../../src/index.js";
import { ProcessDomain } from "../../src/node/index.js";
import { closeDescriptor, createPipe, writeDescriptor } from "../../src/node/system-calls/index.js";

export type Order =
  | { readonly order: "import"; readonly handle: BufferHandleData }
  | { readonly order: "export"; readonly name: string; readonly value: number }
  | { readonly order: "access"; readonly mode: "read" | "write" }
  | { readonly order: "write"; readonly value: number }
  | { readonly order: "read" }
  | { readonly order: "end access" }
  | { readonly order: "close buffer" }
  | { readonly order: "consume"; readonly name: string; readonly frames: number }
  | { readonly order: "write to descriptor"; readonly name: string; readonly text: string }
  /** A pipe with a text in it. */
  | { readonly order: "offer"; readonly name: string; readonly text: string }
  | { readonly order: "block" }
  | { readonly order: "leave" };

const place = process.argv[2]!;
const domain = await enter().catch(async (error: unknown) => {
  await new Promise((sent) => process.send!(`refused: ${String(error)}`, sent));
  process.exit();
});
let buffer: DmaBuf | undefined;
let access: CpuAccess | undefined;

process.on("message", (message: Order) => {
  void obey(message).then(
    (answer) => process.connected && process.send?.(answer ?? "done"),
    (error: unknown) => process.send?.(`failed: ${String(error)}`),
  );
});
process.send?.("joined");

function enter(): Promise<ProcessDomain> {
  return /^\d+$/.test(place) ? ProcessDomain.inherit({ descriptor: Number(place) }) : ProcessDomain.connect(place);
}

async function obey(message: Order): Promise<unknown> {
  switch (message.order) {
    case "import":
      buffer = domain.import(message.handle);
      return buffer.name;
    case "export": {
      buffer = domain.allocate(4096, { name: message.name });
      using bytes = await buffer.access("write");
      bytes.bytes.fill(message.value);
      return buffer.handle();
    }
    case "access":
      access = await buffer!.access(message.mode);
      return undefined;
    case "write":
      access!.bytes.fill(message.value);
      return undefined;
    case "read":
      return [...new Set(access!.bytes)];
    case "end access":
      access![Symbol.dispose]();
      return undefined;
    case "close buffer":
      buffer!.close();
      return undefined;
    case "consume":
      return consume(message.name, message.frames);
    case "write to descriptor": {
      const descriptor = await domain.descriptors.take(message.name, { timeout: 10_000 });
      writeDescriptor(descriptor, Buffer.from(message.text));
      closeDescriptor(descriptor);
      return undefined;
    }
    case "offer": {
      const { reader, writer } = createPipe();
      writeDescriptor(writer, Buffer.from(message.text));
      domain.descriptors.offer(message.name, reader);
      return undefined;
    }
    case "block":
      process.send?.("blocking");
      domain.createTimeline({ timeLimit: 60_000 }).createFence().waitSync({ timeout: 60_000 });
      return undefined;
    case "leave":
      domain.close();
      process.disconnect();
      return undefined;
  }
}

async function consume(name: string, count: number): Promise<number[]> {
  using stream = await domain.findStream(name, { timeout: 30_000 });
  const seen: number[] = [];
  for await (const frame of stream.frames()) {
    seen.push(frame.bytes[0]!);
    frame[Symbol.dispose]();
    if (seen.length === count) break;
  }
  return seen;
}
