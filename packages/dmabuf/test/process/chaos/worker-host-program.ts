/** A process whose main thread is in no domain: its workers are members of a chaos run, one at a time. */
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { Worker } from "node:worker_threads";
import type { WorkerHostOrder, WorkerHostReport, Kept } from "./worker-host-orders.js";
import type { Report } from "./orders.js";

let worker: Worker | undefined;

function count(): Kept {
  const maps = readFileSync("/proc/self/maps", "utf8").split("\n");
  const mappings = maps.filter((line) => line.includes("/memfd:dmabuf") && !line.includes("dmabuf ledgers")).length;
  return { descriptors: readdirSync("/proc/self/fd").length, mappings };
}

function say(report: WorkerHostReport): void {
  if (process.connected) process.send!(report);
}

function take(): void {
  const taken = new Worker(new URL("member.js", import.meta.url));
  taken.on("message", (what: Report | "ready") => say({ report: "said", what }));
  taken.on("error", (error) => say({ report: "said", what: { report: "failed", reason: String(error) } }));
  taken.on("exit", (code) => say({ report: "ended", code }));
  worker = taken;
}

// A worker has come and gone: the runtime keeps what that has opened.
const first = new Worker("", { eval: true });
await new Promise((resolve) => first.once("exit", resolve));
const before = count();
process.on("message", (order: WorkerHostOrder) => {
  if (order.host === "take") take();
  if (order.host === "tell") worker?.postMessage(order.order);
  if (order.host === "terminate") void worker?.terminate();
  if (order.host === "count") {
    const { descriptors, mappings } = count();
    say({
      report: "counted",
      kept: { descriptors: descriptors - before.descriptors, mappings: mappings - before.mappings },
    });
  }
});
// The one that runs all this has died.
process.on("disconnect", () => process.exit(1));
say({ report: "built" });
