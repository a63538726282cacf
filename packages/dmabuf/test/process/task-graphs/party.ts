/**
 * One agent of a run of a graph, in a process or a worker: it submits tasks to a queue of its own, runs them, and ends as they say.
 *
 * Usage: as a child of a member, or as a worker with an invitation.
 */
import process from "node:process";
import { isMainThread, parentPort, workerData } from "node:worker_threads";
import type { ValidateOptions } from "../../../src/index.js";
import { ProcessDomain, type WorkerInvitation } from "../../../src/node/index.js";
import { TaskQueue, type TaskDone, type TaskOrder, type TaskReport, type TaskSubmitted } from "./task-queue.js";

/** Only a validated domain has any. */
const validate: ValidateOptions = { onReport: (report) => say({ report: String(report) }) };
const domain = isMainThread
  ? await ProcessDomain.inherit({ validate })
  : ProcessDomain.join(workerData as WorkerInvitation, { validate });
const queue = new TaskQueue(domain, (done) => say(done), die);

(parentPort ?? process).on("message", (order: TaskOrder) => {
  queue.submit(order).then(say, (error: unknown) => say({ refused: String(error) }));
});
say("ready");

/** Ends this agent at once. In a worker, `process.exit()` ends the worker. */
function die(): void {
  if (isMainThread) process.kill(process.pid, "SIGKILL");
  else process.exit();
}

function say(what: TaskDone | TaskSubmitted | TaskReport | { readonly refused: string } | "ready"): void {
  if (parentPort === null) process.send!(what);
  else parentPort.postMessage(what);
}
