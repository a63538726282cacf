/** What a worker of a pool runs, be it a thread or a process: it joins the domain, and the user's module runs the jobs. */
import process from "node:process";
import { parentPort, workerData } from "node:worker_threads";
import { DmaBufError, errnoOf, textOf } from "../../errors.js";
import { Fence } from "../../fence/fence.js";
import { UserFence } from "../../fence/user-fence.js";
import { makeJob, type Job } from "../../queue/job.js";
import { Domain } from "../../threads.js";
import { ProcessDomain } from "../process-domain.js";
import { signalAtEndOfStarter } from "../system-calls/index.js";
import { KeptBuffers } from "./kept-buffers.js";
import type { SentJob, WorkerReport, WorkerStart } from "./messages.js";
import { ReceivedJob } from "./received-job.js";

interface Started {
  readonly domain: Domain | ProcessDomain;
  readonly kept: KeptBuffers;
  readonly run: (job: Job) => unknown;
}

const SIGKILL = 9;

const port = parentPort;
if (port === null) {
  // A job that never comes back would outlive the process that waits for it.
  signalAtEndOfStarter(SIGKILL);
  const start = JSON.parse(process.argv[2]!) as WorkerStart;
  process.on("disconnect", () => process.exit());
  if (process.ppid !== start.starter) process.exit();
  serve(
    start,
    (hear) => process.on("message", hear),
    (report) => process.send!(report),
  );
} else {
  serve(
    workerData as WorkerStart,
    (hear) => port.on("message", hear),
    (report) => port.postMessage(report),
  );
}

/** @param listen Begins to hear jobs: one at a time comes. */
function serve(
  start: WorkerStart,
  listen: (hear: (sent: SentJob) => void) => void,
  say: (report: WorkerReport) => void,
): void {
  const fail = (error: unknown): void => say({ said: "failed", code: errnoOf(error), text: stackOf(error) });
  const started = begin(start);
  started.then(() => say({ said: "ready" }), fail);
  listen((sent) => {
    const done = started.then((here) => {
      say({ said: "begun" });
      return run(here, sent);
    });
    done.then(() => say({ said: "done" }), fail);
  });
}

async function begin({ module, name, invitation }: WorkerStart): Promise<Started> {
  const domain = await join(name, invitation);
  const { default: run } = (await import(module)) as { readonly default?: unknown };
  if (typeof run === "function") return { domain, kept: new KeptBuffers(domain), run: run as Started["run"] };
  throw new TypeError(`The module ${module} must export as default the function that runs a job`);
}

function join(name: string, invitation: WorkerStart["invitation"]): Promise<ProcessDomain> | ProcessDomain | Domain {
  if (invitation === undefined) return ProcessDomain.inherit({ name });
  return "reservation" in invitation ? ProcessDomain.join(invitation) : Domain.join(invitation);
}

async function run({ domain, kept, run }: Started, sent: SentJob): Promise<void> {
  const job = new ReceivedJob(domain, kept, sent);
  try {
    const work: unknown = await run(makeJob(job));
    if (work instanceof Fence) await work.result();
    if (work instanceof UserFence) throw new DmaBufError("EINVAL", "A job gave a user fence, which may never end");
  } finally {
    job.end();
    kept.rest();
  }
}

/** With the place where it was thrown, which is in the worker alone. */
function stackOf(error: unknown): string {
  return error instanceof Error && error.stack !== undefined ? error.stack : textOf(error);
}
