/** One side of an exporter and its importer in two threads, told by messages what to do. */
import { parentPort, workerData } from "node:worker_threads";
import { DmaBufError, Domain, type DmaBuf, type ExporterOps, type Invitation } from "../../src/index.js";
import type { Attachment, ReceivedHandle } from "../../src/index.js";
import { memoryOf } from "./buffers.js";

/** What is posted to the worker; it answers with an {@link Answer}. */
export type Order =
  | { readonly kind: "export"; readonly style: Style }
  | { readonly kind: "import"; readonly handle: ReceivedHandle }
  | { readonly kind: "use" | "use and block" | "pin" | "access" | "map for ever" | "calls" };

/** How the exporter answers. */
export type Style = "at once" | "slow" | "busy" | "never";

export interface Answer {
  readonly handle?: ReceivedHandle;
  readonly calls?: readonly string[];
  readonly code?: string;
  readonly first?: number;
}

const domain = Domain.join(workerData as Invitation);
const calls: string[] = [];
let buffer: DmaBuf;
let attachment: Attachment;

parentPort!.on("message", (order: Order) => {
  carryOut(order).then(
    (answer) => parentPort!.postMessage(answer),
    (error: unknown) => parentPort!.postMessage({ code: error instanceof DmaBufError ? error.code : String(error) }),
  );
});

async function carryOut(order: Order): Promise<Answer> {
  switch (order.kind) {
    case "export":
      buffer = domain.export(memoryOf(1), { ops: exporter(order.style) });
      return { handle: { ...buffer.handle() } };
    case "import":
      buffer = domain.import(order.handle);
      return {};
    case "use": {
      attachment = await buffer.attachAsync({ name: "importer" });
      using mapping = await attachment.map("write");
      new Uint8Array(mapping.segments[0]!.memory)[0] = 7;
      return {};
    }
    case "use and block": {
      attachment = buffer.attach({ name: "importer", moveNotify() {} });
      using lock = buffer.reservation.lockSync();
      void lock;
      using mapping = attachment.mapLocked("write");
      new Uint8Array(mapping.segments[0]!.memory)[0] = 7;
      return {};
    }
    case "pin": {
      using follower = await buffer.attachAsync({ name: "display", moveNotify() {} });
      using lock = await buffer.reservation.lock();
      void lock;
      await follower.pinAsync();
      follower.unpin();
      return {};
    }
    case "access": {
      using access = buffer.accessSync("write", { timeout: 10_000 });
      access.bytes[0]! += 1;
      return { first: access.bytes[0]! };
    }
    case "map for ever":
      attachment = await buffer.attachAsync({ name: "importer" });
      void attachment.map().catch(() => {});
      return {};
    case "calls":
      return { calls };
  }
}

function exporter(style: Style): ExporterOps {
  const answer = async (name: string): Promise<void> => {
    calls.push(name);
    if (style === "busy") throw new DmaBufError("EBUSY", "The device cannot reach this memory");
    if (style === "slow") await new Promise((resolve) => setTimeout(resolve, 100));
    if (style === "never") await new Promise(() => {});
    calls.push(`${name} done`);
  };
  return {
    map: () => answer("map").then(() => memoryOf(1)),
    unmap: () => void calls.push("unmap"),
    pin: () => void calls.push("pin"),
    unpin: () => void calls.push("unpin"),
    beginCpuAccess: () => answer("begin"),
    endCpuAccess: () => void calls.push("end"),
    release: () => void calls.push("release"),
  };
}
