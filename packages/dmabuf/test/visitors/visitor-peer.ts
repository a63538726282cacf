/**
 * A visitor in a process of its own, for tests: it says what it is told, and maps, writes, keeps and forgets as a wrong
 * visitor would. It has no part of the library but its system calls.
 */
import { spawn } from "node:child_process";
import process from "node:process";
import {
  closeDescriptor,
  connectSocket,
  createSocket,
  mapMemory,
  receiveMessage,
  reopenDescriptor,
  sendMessage,
  unmapMemory,
  viewOf,
} from "../../src/node/system-calls/index.js";
import { ProcessDomain } from "../../src/node/index.js";
import { rawFormat } from "../../src/index.js";

/** What it can be told. */
export type Order =
  | { readonly do: "connect"; readonly place: string }
  | { readonly do: "say"; readonly text: string }
  /** The next line; `undefined` once the connection has ended. */
  | { readonly do: "hear" }
  | { readonly do: "map" | "unmap" | "close" | "reopen" }
  | { readonly do: "write"; readonly value: number }
  /** A child has the descriptor. Gives its number. */
  | { readonly do: "child" }
  /** Serves a stream to contributors. */
  | { readonly do: "serve"; readonly place: string };

const LENGTH = 4096;
let connection = -1;
let text = "";
let descriptor = -1;
let address: bigint | undefined;

async function obey(order: Order): Promise<unknown> {
  switch (order.do) {
    case "connect":
      if (connection >= 0) closeDescriptor(connection);
      connection = createSocket("stream");
      text = "";
      return connectSocket(connection, { abstract: order.place.slice(1) });
    case "say":
      return sendMessage(connection, Buffer.from(order.text));
    case "hear":
      return hear();
    case "map":
      address = mapMemory({ length: LENGTH, protection: "read-write", fd: descriptor });
      return;
    case "unmap":
      return unmapMemory(address!, LENGTH);
    case "close":
      return closeDescriptor(descriptor);
    case "reopen":
      return closeDescriptor(reopenDescriptor(descriptor, "read-write"));
    case "write":
      return void new Uint8Array(viewOf(address!, LENGTH)).fill(order.value);
    case "child": {
      const child = spawn("sleep", ["1000"], { stdio: ["ignore", "ignore", "ignore", descriptor] });
      await new Promise((resolve) => child.once("spawn", resolve));
      return child.pid;
    }
    case "serve": {
      const domain = ProcessDomain.create();
      domain.serveContributors(order.place, domain.createStream({ format: rawFormat(64) }));
    }
  }
}

async function hear(): Promise<string | undefined> {
  const bytes = Buffer.alloc(65_536);
  for (;;) {
    const end = text.indexOf("\n");
    if (end >= 0) {
      const line = text.slice(0, end);
      text = text.slice(end + 1);
      return line;
    }
    try {
      const message = receiveMessage(connection, bytes);
      if (message?.length === 0) return undefined;
      if (message !== undefined) {
        if (message.descriptors.length > 0) descriptor = message.descriptors[0]!;
        text += bytes.toString("utf8", 0, message.length);
        continue;
      }
    } catch {
      return undefined;
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

process.on("message", (order: Order) => {
  void obey(order).then(
    (answer) => process.send!({ answer }),
    (error: unknown) => process.send!({ code: (error as { code?: string }).code ?? String(error) }),
  );
});
process.on("disconnect", () => process.exit());
