/**
 * A member of a group that writes down each frame before it gives it back, and may stop itself at one.
 *
 * Usage: node sharing-worker.js PLACE FILE [stops], or as a worker thread with {@link Share}.
 */
import { appendFileSync } from "node:fs";
import process from "node:process";
import { isMainThread, workerData } from "node:worker_threads";
import { Domain, type Consumer, type Invitation, type StreamHandle } from "../../src/index.js";
import { ProcessDomain, type Follower } from "../../src/node/index.js";

/** What a thread is given. */
export interface Share {
  readonly invitation: Invitation;
  readonly stream: StreamHandle;
  readonly file: string;
}

if (isMainThread) {
  const [place, file, stops] = process.argv.slice(2) as [string, string, string?];
  using domain = await ProcessDomain.connect(place, { name: "worker" });
  const stop = (): unknown => process.kill(process.pid, "SIGSTOP");
  await work(domain.follow("work", { group: "workers" }), file, stops === "stops" ? stop : undefined);
} else {
  const { invitation, stream, file } = workerData as Share;
  using domain = Domain.join(invitation);
  await work(domain.import(stream).frames({ group: "workers" }), file);
}

async function work(frames: Consumer | Follower, file: string, once?: () => unknown): Promise<void> {
  for await (using frame of frames) {
    once?.();
    once = undefined;
    appendFileSync(file, `${frame.sequence}\n`);
  }
}
