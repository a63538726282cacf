/**
 * A process or thread, for tests, that is told by messages to join what its starter has left for it, and to start others.
 *
 * Each order is answered by one message.
 */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readlinkSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parentPort, Worker } from "node:worker_threads";
import { codeOf } from "../../src/errors.js";
import { ProcessDomain, type InheritOptions } from "../../src/node/index.js";
import type { BufferHandleData, CpuAccess } from "../../src/index.js";

export type HeirOrder =
  /** Answers with the names of the agents, or the error's code. */
  | { readonly order: "inherit"; readonly options?: InheritOptions }
  /** Fills a buffer, and keeps it from all others. */
  | { readonly order: "write"; readonly handle: BufferHandleData; readonly value: number }
  | { readonly order: "variable" }
  | { readonly order: "descriptors" }
  /** Starts another one without the library, which it tells from then on what comes as `tell`. */
  | { readonly order: "start"; readonly kind: "process" | "thread" }
  | { readonly order: "tell"; readonly what: HeirOrder }
  | { readonly order: "end" };

const OWN = new URL(import.meta.url);
let domain: ProcessDomain | undefined;
/** It is held until the end. */
let access: CpuAccess | undefined;
let other: ChildProcess | Worker | undefined;

async function obey(order: HeirOrder): Promise<unknown> {
  switch (order.order) {
    case "inherit":
      try {
        domain = await ProcessDomain.inherit(order.options);
        return domain.agents;
      } catch (error) {
        return codeOf(error);
      }
    case "write": {
      access = await domain!.import(order.handle).access("write");
      access.bytes.fill(order.value);
      return access.bytes.length;
    }
    case "variable":
      return process.env["DMABUF_DOMAIN"] ?? "none";
    case "descriptors":
      return readdirSync("/proc/self/fd").flatMap(linkOf);
    case "start": {
      other = order.kind === "thread" ? new Worker(OWN) : fork(fileURLToPath(OWN));
      return (await once(other, "message"))[0];
    }
    case "tell": {
      const answer = once(other!, "message");
      if (other instanceof Worker) other.postMessage(order.what);
      else other!.send(order.what);
      return (await answer)[0];
    }
    case "end":
      process.exit();
  }
}

function linkOf(fd: string): string[] {
  try {
    return [`${fd} ${readlinkSync(`/proc/self/fd/${fd}`)}`];
  } catch {
    return [];
  }
}

const say = (answer: unknown): void => {
  if (parentPort === null) process.send?.(answer);
  else parentPort.postMessage(answer);
};

function listen(order: HeirOrder): void {
  void obey(order).then(
    (answer) => say(answer ?? "done"),
    (error: unknown) => say(`failed: ${String(error)}`),
  );
}

(parentPort ?? process).on("message", listen);
say("ready");
