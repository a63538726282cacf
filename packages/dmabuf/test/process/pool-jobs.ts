/** What the workers of a pool do in tests. */
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { threadId } from "node:worker_threads";
import { DmaBufError, type Job } from "../../src/index.js";

export type PoolJob =
  /** Writes one more than what it reads into all that it writes. */
  | "add"
  /** Writes the numbers of its process and thread. */
  | "sign"
  | "fail"
  | "throw"
  /** Fails later, as asynchronous code does. */
  | "reject"
  /** Counts up in its buffer until it is stopped. */
  | "scribble"
  | "block"
  | "exit"
  /** Throws where no caller hears it. */
  | "crash"
  | "kill"
  /** Stops its process. */
  | "stop"
  /** Says in its buffer what it sees of itself. */
  | "look"
  /** Keeps its bytes and uses them in the next job. */
  | "keep"
  | { readonly sleepMs: number };

let kept: (() => Uint8Array) | undefined;

export default async function run(job: Job<PoolJob>): Promise<unknown> {
  const written = job.writes.map((buffer) => job.access(buffer).bytes);
  const read = job.reads.map((buffer) => job.access(buffer).bytes);
  const { data } = job;
  if (typeof data !== "string") {
    await pause(data.sleepMs);
    return;
  }
  switch (data) {
    case "add":
      for (const bytes of written) bytes.forEach((byte, i) => (bytes[i] = (read[0]?.[i] ?? byte) + 1));
      return;
    case "sign":
      new Int32Array(written[0]!.buffer, written[0]!.byteOffset, 2).set([process.pid, threadId]);
      return;
    case "fail":
      throw new DmaBufError("ENODATA", "There is none");
    case "throw":
      throw new Error("a mistake");
    case "reject":
      await pause(5);
      throw new TypeError("a late mistake");
    case "scribble":
      for (let n = 0; ; n++) written[0]!.fill(n);
    case "block":
      // eslint-disable-next-line no-restricted-globals -- a program of users, which blocks in a way of its own
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
      return;
    case "exit":
      return process.exit(3);
    case "crash":
      setImmediate(() => {
        throw new Error("unheard");
      });
      return pause(10_000);
    case "kill":
    case "stop":
      process.kill(process.pid, data === "kill" ? "SIGKILL" : "SIGSTOP");
      return pause(10_000);
    case "look": {
      const { finished, scheduled, credits, reads, writes } = job;
      const seen = [finished.isSignaled(), scheduled.isSignaled(), credits, reads.length, writes.length];
      written[0]!.set(seen.map(Number));
      return job.scheduled;
    }
    case "keep": {
      const before = kept;
      const access = job.access(job.writes[0]!);
      kept = () => access.bytes;
      if (before !== undefined) before();
      return;
    }
  }
}
